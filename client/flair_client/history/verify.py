"""Verifies a branch as a stranger would: from accounts and blocks alone.

The rules, in the order in which they are checked. Each has a test that breaks it.

 1. The cluster has the pinned genesis hash, and the program's Config was made for it.
 2. The repository's events lead back from `history_root`, each naming the one before
    it, without a gap; their number is `event_seq`.
 3. They fold: nothing happens that the program could not have done.
 4. The accounts say the same: head, sequence and policy of the branch, digests of
    policies.
 5. Each head's commit is there, is what its id says, decodes strictly, and is signed.
 6. It names this repository and the branch that it was moved into.
 7. Its kind is the kind of the move, and its first parent is the head before it.
 8. Its author had the right: owner or administrator, for a merge the proposer.
 9. Its events are the chain's, go on from its parent's, and reach far enough.
10. Its policy is one of the repository's; a recipe changes with a root or snapshot.
11. A merge has exactly the accepted updates of its round as parents, sorted by id.
12. It uses the policy's strategy and parameters, the pushed weights, and the chain's
    lambda; the chain added up the same updates.
13. Each update's commit is there, signed by the contributor that pushed it, for this
    round, base, policy and recipe; its delta is the one pushed and keeps the policy.
14. The merge's weights, integers and digests, are what merging gives.
15. A revert's weights are what taking the merge or the term back gives; never twice.
16. Weights are complete: every block there, digests right, finite.
17. With `since`, all of this from that commit on, which is trusted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flair_client.errors import VerificationError
from flair_client.history.evidence import VerifyChain, gather_evidence
from flair_client.history.records import MoveRecord, RepoHistory
from flair_client.history.verify_move import (
    HOW_CHECKED,
    CheckedCommit,
    Evidence,
    trusted_commit,
    verify_move,
)
from flair_client.ids import Address, CommitId, Digest
from flair_client.objects import CommitKind
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store

__all__ = [
    "BranchReport",
    "CommitReport",
    "ValidHead",
    "gather_evidence",
    "last_valid_head",
    "verify_branch",
    "walk_verified",
]


@dataclass(frozen=True, slots=True)
class CommitReport:
    """A commit that was found right.

    Attributes:
        head_seq: its number in the branch that it was moved into.
        check: `recomputed` for merges and reverts.
        n_updates: updates that a merge holds.
    """

    commit_id: CommitId
    kind: CommitKind
    branch: str
    head_seq: int
    author: Address
    message: str
    time: int
    check: str
    n_updates: int = 0


@dataclass(frozen=True, slots=True)
class BranchReport:
    """A branch whose whole history, or all of it since a trusted commit, is right.

    Attributes:
        since: the trusted commit where verification started; None for all of it.
        n_events: how many events were folded to `history_root`.
    """

    repo: Address
    branch: str
    head: CommitId
    head_seq: int
    since: CommitId | None
    n_events: int
    history_root: Digest
    commits: tuple[CommitReport, ...]


@dataclass(frozen=True, slots=True)
class ValidHead:
    """The newest commit of a branch that checks.

    Attributes:
        commit_id: None where not even the first one does.
        fault: what is wrong with the next one; None where the head itself is valid.
        head: the branch's head on chain.
    """

    commit_id: CommitId | None
    head: CommitId
    fault: VerificationError | None
    commits: tuple[CommitReport, ...]


def verify_branch(
    chain: VerifyChain,
    store: Store,
    repo: Address,
    branch: str,
    *,
    since: CommitId | None = None,
    genesis_hash: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> BranchReport:
    """Verifies a branch up to its head.

    Args:
        chain: accounts of one program on one cluster.
        store: where the blocks lie.
        repo: the repository's address.
        branch: the branch's name.
        since: a commit of the branch that is trusted; nothing before it is looked at
            but events and reverts.
        genesis_hash: of the cluster that is meant, where it is pinned.
        progress: shows commits and tensors.

    Raises:
        VerificationError: the first thing that is wrong.
        AccountMissing: no such repository or branch.
        StoreUnavailable, RpcUnavailable: no verdict could be reached.
    """
    gathered = gather_evidence(
        chain, store, repo, branch, genesis_hash=genesis_hash, progress=progress
    )
    reports: list[CommitReport] = []
    for report, _ in walk_verified(gathered.evidence, since=since):
        reports.append(report)
    return BranchReport(
        repo,
        branch,
        gathered.branch_account.head_commit,
        gathered.branch_account.head_seq,
        since,
        gathered.repo_account.event_seq,
        gathered.repo_account.history_root,
        tuple(reports),
    )


def last_valid_head(
    chain: VerifyChain,
    store: Store,
    repo: Address,
    branch: str,
    *,
    since: CommitId | None = None,
    genesis_hash: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> ValidHead:
    """Gives the newest commit that checks, and what is wrong with the next one.

    Raises:
        VerificationError: events or accounts are wrong: nothing can be said.
        AccountMissing: no such repository or branch.
    """
    gathered = gather_evidence(
        chain, store, repo, branch, genesis_hash=genesis_hash, progress=progress
    )
    reports: list[CommitReport] = []
    last = since
    fault = None
    try:
        for report, checked in walk_verified(gathered.evidence, since=since):
            reports.append(report)
            last = checked.commit_id
    except VerificationError as exc:
        fault = exc
    return ValidHead(last, gathered.branch_account.head_commit, fault, tuple(reports))


def walk_verified(
    evidence: Evidence, *, since: CommitId | None = None
) -> Iterator[tuple[CommitReport, CheckedCommit]]:
    """Verifies the heads of a branch one after the other, oldest first.

    Raises:
        VerificationError: at the first one that is wrong.
    """
    moves = evidence.moves
    previous: CheckedCommit | None = None
    if since is not None:
        at = [n for n, move in enumerate(moves) if move.new_head == since]
        if not at:
            raise VerificationError(
                f"commit {since.short}", "was never the head of this branch"
            )
        previous = trusted_commit(evidence, since)
        moves = moves[at[-1] + 1 :]
    with evidence.progress.task("verify", len(moves), "commits") as task:
        for move in moves:
            previous = verify_move(evidence, move, previous)
            yield _report(evidence.history, move, previous), previous
            task.advance(1)


def _report(
    history: RepoHistory, move: MoveRecord, checked: CheckedCommit
) -> CommitReport:
    commit = checked.commit
    return CommitReport(
        move.new_head,
        commit.kind,
        history.branches[move.branch].name,
        move.head_seq,
        commit.author,
        commit.message,
        commit.time,
        HOW_CHECKED[commit.kind],
        len(commit.parents) - 1 if commit.kind is CommitKind.MERGE else 0,
    )
