"""What all branches of one repository share, and what came of a step."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from flair_aggregator.budget import Budget
from flair_aggregator.follow import RepoFollower
from flair_aggregator.outbox import Outbox
from flair_aggregator.pending import Pending
from flair_aggregator.round import BranchView
from flair_aggregator.settings import Options
from flair_client.context import Context
from flair_client.ids import Address


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step that was sent.

    Attributes:
        outcome: `done`, `already done` by somebody else, or why it was refused.
    """

    branch: str
    round_index: int
    step: str
    subject: str
    outcome: str
    tx_signature: str | None


@dataclass(frozen=True, slots=True)
class World:
    """What all branches of one repository share.

    Attributes:
        repo: address.
        name: of the repository, for sentences.
        genesis_hash: of the cluster, for the outbox.
        say: tells people something: a topic and a sentence, empty once it is over;
            each sentence is told once.
        report: told of every step.
        now_s: a clock that never goes back.
        should_stop: asked before every step.
        budget: what steps may cost.
        note_branch: told how each branch was found, for whoever watches.
    """

    ctx: Context
    repo: Address
    name: str
    genesis_hash: str
    follower: RepoFollower
    pending: Pending
    outbox: Outbox
    options: Options
    say: Callable[[str, str], None]
    budget: Budget
    report: Callable[[StepDone, str], None]
    now_s: Callable[[], float] = time.monotonic
    should_stop: Callable[[], bool] = lambda: False
    note_branch: Callable[[str, BranchView, tuple[str, ...]], None] = lambda *_: None
