"""What an unattended contributor is told to do, and what comes of it. Values only."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from flair_client.data_sources import DataSource
from flair_client.ids import CommitId
from flair_client.porcelain.protection import PrivacyAsked
from flair_client.porcelain.pushed import PushOutcome
from flair_client.repo_address import RepoAddress
from flair_client.training.data import ColumnMap


class Ending(StrEnum):
    """Why it ended."""

    DONE = "done"  # all rounds were taken part in
    ASKED = "asked"  # somebody asked it to stop
    WAITING = "waiting"  # with `once`: nothing can be done now


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributePlan:
    """What to train on, and for how long.

    Attributes:
        data: as for `flair train`, like the five after it.
        message: of the commits; None names the round.
        privacy: how much each update may give away.
        n_rounds: rounds to take part in; None goes on until it is stopped.
        open_rounds: open a round where none is in progress.
        once: end where there is nothing to do but wait.
        interval_s: about how often to look.
    """

    data: DataSource | Path
    column_map: ColumnMap | None = None
    seed: int | None = None
    allow_one_class: bool = False
    device: str = "auto"
    sandbox: bool = True
    message: str | None = None
    privacy: PrivacyAsked | None = None
    n_rounds: int | None = None
    open_rounds: bool = False
    once: bool = False
    interval_s: float = 5.0


@dataclass(frozen=True, slots=True)
class RoundTaken:
    """A round that was taken part in and is over.

    Attributes:
        outcome: merged, rejected, or ended without a merge.
        merge: of the round; None where there is none.
        metrics: of the model at HEAD on the contributor's own data.
    """

    round_index: int
    commit: CommitId
    outcome: PushOutcome
    merge: CommitId | None
    head: CommitId
    num_samples: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Contributed:
    """What came of it.

    Attributes:
        n_rounds: rounds that were over since this process began.
        n_missed: updates that were made and came too late for their round.
        rounds: the last hundred, oldest first.
    """

    repo: RepoAddress
    ending: Ending
    n_rounds: int
    n_missed: int
    rounds: tuple[RoundTaken, ...]


@dataclass(slots=True)
class Listener:
    """Whoever wants to hear how it goes.

    Attributes:
        note: hears a sentence.
        wait: hears a sentence about what it waits for, and until when at the latest,
            in seconds since 1970; without it `note` hears the sentence.
        warn: hears one that somebody has to look at.
        round_over: hears of each round.
        sleep: passes the time.
        is_asked_to_stop: looked at between any two steps.
    """

    note: Callable[[str], None] = lambda _: None
    wait: Callable[[str, int], None] | None = None
    warn: Callable[[str], None] = lambda _: None
    round_over: Callable[[RoundTaken], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    is_asked_to_stop: Callable[[], bool] = lambda: False
    _last: tuple[str, int | None] | None = None

    def say(self, sentence: str, until: int | None = None) -> None:
        """Passes a sentence on, unless it is the one before.

        Args:
            sentence: as `wait` and `note` hear it.
            until: how long that lasts at most, in seconds since 1970; None where nobody
                knows.
        """
        if (sentence, until) == self._last:
            return
        self._last = (sentence, until)
        if self.wait is None or until is None:
            self.note(sentence)
        else:
            self.wait(sentence, until)
