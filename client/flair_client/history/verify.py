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
13. Each update's commit is there, signed by the contributor that pushed it or by a key
    that acted for it, for this round, base, policy and recipe; its delta is the one
    pushed and keeps the policy.
14. The merge's weights, integers and digests, are what merging gives: the updates of
    its round, or the models that it names, which are signed and whole.
15. A revert's weights are what taking the merge or the term back gives, never twice; or
    those of the commit that it goes back to.
16. Weights are complete: every block there, digests right, finite; light forms are
    those of their values. With `taking_light` they are read instead of the values.
17. With `since`, all of this from that commit on, which is trusted.
18. What follows a wrong commit is wrong as well, until a commit that stands on its own:
    a snapshot that names weights and recipe, or a revert of the first wrong commit that
    has the weights of the last valid one. What was wrong stays reported.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from flair_client.errors import VerificationError
from flair_client.history.checked import CheckedCommit, Evidence, InvalidCommit
from flair_client.history.evidence import (
    BranchEvidence,
    VerifyChain,
    gather_evidence,
)
from flair_client.history.line import LineState, judge_move
from flair_client.history.records import MoveRecord
from flair_client.history.verify_move import HOW_CHECKED, trusted_commit
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
    "report_of",
    "trust",
    "valid_head_of",
    "verify_branch",
    "walk_line",
    "walk_verified",
]


@dataclass(frozen=True, slots=True)
class CommitReport:
    """A commit that was found right.

    Attributes:
        head_seq: its number in the branch that it was moved into.
        check: `recomputed` for merges and reverts.
        n_updates: updates that a merge of a round holds.
        n_models: models that a merge of models was made from.
        n_repaired: wrong commits before it that it leaves behind.
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
    n_repaired: int = 0
    n_models: int = 0


@dataclass(frozen=True, slots=True)
class BranchReport:
    """A branch whose head is valid.

    Attributes:
        since: the trusted commit where verification started; None for all of it.
        n_events: how many events were folded to `history_root`.
        invalid: wrong commits that a later one left behind.
    """

    repo: Address
    branch: str
    head: CommitId
    head_seq: int
    since: CommitId | None
    n_events: int
    history_root: Digest
    commits: tuple[CommitReport, ...]
    invalid: tuple[InvalidCommit, ...] = ()


@dataclass(frozen=True, slots=True)
class ValidHead:
    """The newest commit of a branch that checks.

    Attributes:
        commit_id: None where not even the first one does.
        fault: what is wrong with the next one; None where the head itself is valid.
        head: the branch's head on chain.
        invalid: every wrong commit that was met, repaired or not.
    """

    commit_id: CommitId | None
    head: CommitId
    fault: VerificationError | None
    commits: tuple[CommitReport, ...]
    invalid: tuple[InvalidCommit, ...] = ()


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
    evidence = gathered.evidence
    reports = [report for report, _ in walk_verified(evidence, since=since)]
    return BranchReport(
        repo,
        branch,
        gathered.branch_account.head_commit,
        gathered.branch_account.head_seq,
        since,
        gathered.repo_account.event_seq,
        gathered.repo_account.history_root,
        tuple(reports),
        evidence.invalid,
    )


def last_valid_head(
    chain: VerifyChain,
    store: Store,
    repo: Address,
    branch: str,
    *,
    since: CommitId | None = None,
    verified: Collection[CommitId] = (),
    genesis_hash: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> ValidHead:
    """Gives the newest commit that checks, and what is wrong with the next one.

    Args:
        chain: accounts of one program on one cluster.
        store: where the blocks lie.
        repo: the repository's address.
        branch: the branch's name.
        since: a commit of the branch that is trusted.
        verified: commits before `since` that were found right here; they spare work
            where a later revert takes one of them back.
        genesis_hash: of the cluster that is meant, where it is pinned.
        progress: shows commits and tensors.

    Raises:
        VerificationError: events or accounts are wrong: nothing can be said.
        AccountMissing: no such repository or branch.
    """
    gathered = gather_evidence(
        chain, store, repo, branch, genesis_hash=genesis_hash, progress=progress
    )
    return valid_head_of(gathered, since=since, verified=verified)


def valid_head_of(
    gathered: BranchEvidence,
    *,
    since: CommitId | None = None,
    verified: Collection[CommitId] = (),
) -> ValidHead:
    """Does the same where the evidence was gathered already.

    Args:
        gathered: of the branch, by rules 1 to 4.
        since: as for `last_valid_head`.
        verified: as for `last_valid_head`.
    """
    evidence = gathered.evidence
    trust(evidence, verified)
    reports: list[CommitReport] = []
    last = since
    fault = None
    try:
        for report, checked in walk_verified(evidence, since=since):
            reports.append(report)
            last = checked.commit_id
    except VerificationError as exc:
        fault = exc
    head = gathered.branch_account.head_commit
    invalid = evidence.invalid
    return ValidHead(last, head, fault, tuple(reports), invalid)


def trust(evidence: Evidence, commits: Collection[CommitId]) -> None:
    """Takes commits for valid that were verified before, where they first were heads.

    They are not looked at again where only a verdict about them is needed.
    """
    wanted = set(commits)
    for move in evidence.moves:
        if move.new_head in wanted:
            wanted.remove(move.new_head)
            evidence.judged.accept(move.event_seq)


def walk_verified(
    evidence: Evidence, *, since: CommitId | None = None
) -> Iterator[tuple[CommitReport, CheckedCommit]]:
    """Gives the valid heads of a branch one after the other, oldest first.

    Wrong ones that were repaired are left out; `evidence.judged` has them.

    Raises:
        VerificationError: at the end, where the head is not valid: names the first
            wrong commit after the last valid one.
    """
    state = LineState()
    for move, after in walk_line(evidence, since=since):
        report = report_of(evidence, move, state, after)
        if isinstance(report, CommitReport) and after.head is not None:
            yield report, after.head
        state = after
    if state.fault is not None:
        raise state.fault


def walk_line(
    evidence: Evidence, *, since: CommitId | None = None
) -> Iterator[tuple[MoveRecord, LineState]]:
    """Judges the moves of a branch one after the other, oldest first.

    Raises:
        VerificationError: `since` was never the head, or cannot be read.
    """
    moves = evidence.moves
    state = LineState()
    if since is not None:
        # Moved in a second time it would not follow from the head before it.
        at = next((n for n, move in enumerate(moves) if move.new_head == since), None)
        if at is None:
            raise VerificationError(
                f"commit {since.short}", "was never the head of this branch"
            )
        state = LineState(trusted_commit(evidence, since))
        evidence.judged.accept(moves[at].event_seq)
        moves = moves[at + 1 :]
    with evidence.progress.task("verify", len(moves), "commits") as task:
        for move in moves:
            state = judge_move(evidence, move, state)
            yield move, state
            task.advance(1)


def report_of(
    evidence: Evidence, move: MoveRecord, before: LineState, after: LineState
) -> CommitReport | InvalidCommit:
    """What is to be said about a move, from the states before and after it."""
    if after.broken or after.head is None:
        return after.broken[-1]
    commit = after.head.commit
    is_of_round = commit.kind is CommitKind.MERGE and not commit.merges_models
    models = commit.strategy if commit.merges_models else None
    return CommitReport(
        move.new_head,
        commit.kind,
        evidence.history.branches[move.branch].name,
        move.head_seq,
        commit.author,
        commit.message,
        commit.time,
        HOW_CHECKED[commit.kind],
        len(commit.parents) - 1 if is_of_round else 0,
        len(before.broken),
        0 if models is None else len(models.weights),
    )
