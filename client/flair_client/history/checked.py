"""What commits are compared with, and what is known of those that were looked at."""

from dataclasses import dataclass, field

from flair_client.history.records import MoveRecord, RepoHistory, RoundRecord
from flair_client.history.verify_merge import round_terms
from flair_client.history.verify_update import RoundTerms
from flair_client.history.verify_weights import KnownTensor
from flair_client.ids import Cid, CommitId
from flair_client.objects import Commit, CommitKind, Manifest
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True)
class InvalidCommit:
    """A commit that was made a head and is not valid.

    Attributes:
        head_seq: its number in the branch that it was moved into.
        where: what is wrong, as `commit 1f2e…` or `update 9a0b… of merge 1f2e…`.
        reason: what is wrong with it.
    """

    commit_id: CommitId
    kind: CommitKind
    branch: str
    head_seq: int
    where: str
    reason: str


@dataclass(slots=True)
class Judged:
    """Verdicts about moves, by the number of their event; filled while verifying.

    By event and not by commit: the same commit may be moved in twice, and at most one
    of these moves can be right.
    """

    valid: set[int] = field(default_factory=set)
    invalid: dict[int, InvalidCommit] = field(default_factory=dict)

    def accept(self, event_seq: int) -> None:
        """Keeps that a move is right."""
        self.invalid.pop(event_seq, None)
        self.valid.add(event_seq)

    def refuse(self, event_seq: int, commit: InvalidCommit) -> None:
        """Keeps that a move is wrong."""
        self.valid.discard(event_seq)
        self.invalid[event_seq] = commit


@dataclass(frozen=True, slots=True)
class Evidence:
    """What commits are compared with.

    Attributes:
        history: the repository's events, replayed.
        events: their bytes, from number 1 on.
        moves: of the branch, from the very first commit on, other branches' before it
            where the branch began at a commit of another one.
        known_tensors: first reads spare later ones; filled while verifying.
        judged: likewise for whole moves, and so that no revert takes a merge back that
            was never part of a valid state.
        takes_light: whether the light form of tensors will do where there is one.
    """

    history: RepoHistory
    events: list[bytes]
    moves: tuple[MoveRecord, ...]
    store: Store
    progress: Progress = NO_PROGRESS
    known_tensors: set[KnownTensor] = field(default_factory=set)
    judged: Judged = field(default_factory=Judged)
    takes_light: bool = False

    @property
    def invalid(self) -> tuple[InvalidCommit, ...]:
        """The commits of the branch that were found wrong so far, oldest first."""
        wrong = self.judged.invalid
        return tuple(wrong[m.event_seq] for m in self.moves if m.event_seq in wrong)


@dataclass(frozen=True, slots=True)
class CheckedCommit:
    """A commit that was found right, or that is trusted.

    Attributes:
        recipe: the one in force from here on, its own or inherited.
        last_seq: number of the last event that its list covers.
    """

    commit_id: CommitId
    commit: Commit
    manifest: Manifest
    recipe: Cid | None
    last_seq: int


def terms_of(history: RepoHistory, record: RoundRecord) -> RoundTerms:
    """What a round's updates and merge have to agree with, by the events."""
    return round_terms(
        history.repo,
        history.branches[record.branch].name,
        record,
        history.policies[record.policy_index],
    )
