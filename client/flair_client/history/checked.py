"""What commits are compared with, and what is known of one that was found right."""

from dataclasses import dataclass, field

from flair_client.history.records import MoveRecord, RepoHistory, RoundRecord
from flair_client.history.verify_merge import round_terms
from flair_client.history.verify_update import RoundTerms
from flair_client.ids import Cid, CommitId
from flair_client.objects import Commit, Manifest
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True)
class Evidence:
    """What commits are compared with.

    Attributes:
        history: the repository's events, replayed.
        events: their bytes, from number 1 on.
        moves: of the branch, from the very first commit on, other branches' before it
            where the branch began at a commit of another one.
        known_blocks: first reads spare later ones; filled while verifying.
    """

    history: RepoHistory
    events: list[bytes]
    moves: tuple[MoveRecord, ...]
    store: Store
    progress: Progress = NO_PROGRESS
    known_blocks: set[Cid] = field(default_factory=set)


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
