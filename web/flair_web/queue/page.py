"""What the queue of an owner shows."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from flair_client.ids import Address
from flair_indexer import queries
from flair_indexer.views import (
    BranchView,
    CandidateView,
    JoinRequestView,
    RepoView,
    RoundView,
    UpdateView,
)


@dataclass(frozen=True, slots=True)
class WaitingRound:
    """A round that somebody must move on.

    Attributes:
        why: what is the matter with it.
    """

    round: RoundView
    branch: str
    why: Literal["open", "deadline", "merge"]


@dataclass(frozen=True, slots=True)
class QueuePage:
    """What waits.

    Attributes:
        candidates: merges that may want an approval.
        updates: of live rounds, which an owner may look at and leave out.
        requests: of wallets that ask to join, oldest first.
        rounds: that are live.
        broken: branches whose head is invalid, or cannot be checked.
    """

    repo: RepoView
    branches: tuple[BranchView, ...]
    candidates: tuple[CandidateView, ...]
    updates: tuple[UpdateView, ...]
    requests: tuple[JoinRequestView, ...]
    rounds: tuple[WaitingRound, ...]
    broken: tuple[BranchView, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        parts = (self.candidates, self.updates, self.requests, self.rounds, self.broken)
        return not any(parts)

    def branch_name(self, address: Address) -> str:
        """Gives a branch's name."""
        names = (one.name for one in self.branches if one.branch == address)
        return next(names, str(address))


def queue_page(source: Connection, repo: RepoView, now: int) -> QueuePage:
    """Gathers what waits for an owner."""
    branches = tuple(queries.branches(source, repo.repo))
    names = {one.branch: one.name for one in branches}
    rounds = queries.live_rounds(source, repo.repo)
    return QueuePage(
        repo,
        branches,
        tuple(queries.open_candidates(source, repo.repo)),
        tuple(queries.pending_updates(source, repo.repo)),
        tuple(queries.join_requests(source, repo.repo)),
        tuple(
            WaitingRound(one, names.get(one.branch, str(one.branch)), _why(one, now))
            for one in rounds
        ),
        tuple(one for one in branches if one.head_state in ("invalid", "missing")),
    )


def _why(found: RoundView, now: int) -> Literal["open", "deadline", "merge"]:
    if found.state == "closed":
        return "merge"
    return "open" if found.deadline > now else "deadline"
