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
from typing import Protocol

from flair_client.chain.accounts import (
    BranchAccount,
    ConfigAccount,
    PolicyAccount,
    RepoAccount,
)
from flair_client.chain.pdas import find_branch_pda
from flair_client.errors import ClusterMismatch, VerificationError
from flair_client.history.events import EventChain, collect_events
from flair_client.history.records import (
    BranchRecord,
    MoveRecord,
    RepoHistory,
)
from flair_client.history.replay import replay
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

# Between two reads others may move the head; each try reads everything anew.
_TRIES = 5


class VerifyChain(EventChain, Protocol):
    """What is asked of the chain to verify."""

    def config(self) -> ConfigAccount:
        """The program's settings."""

    def branch(self, repo: Address, name: str) -> BranchAccount:
        """A branch's account."""

    def policy(self, repo: Address, index: int) -> PolicyAccount:
        """A policy's account."""


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


@dataclass(frozen=True, slots=True)
class BranchEvidence:
    """Everything that the commits of one branch are compared with."""

    repo_account: RepoAccount
    branch_account: BranchAccount
    evidence: Evidence


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


def gather_evidence(
    chain: VerifyChain,
    store: Store,
    repo: Address,
    branch: str,
    *,
    genesis_hash: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> BranchEvidence:
    """Reads accounts and events that belong together, and checks rules 1 to 4.

    Raises:
        VerificationError: names the account or event that is wrong.
    """
    verify_cluster(chain, genesis_hash)
    tries = _TRIES
    while True:
        repo_account = chain.repo(repo)
        branch_account = chain.branch(repo, branch)
        if chain.repo(repo).event_seq == repo_account.event_seq or tries == 1:
            break
        tries -= 1
    events = collect_events(chain, store, repo_account)
    history = replay(repo, events)
    _check_accounts(chain, history, repo, repo_account, branch_account)
    moves = lineage(history, find_branch_pda(repo, branch, chain.program_id)[0])
    evidence = Evidence(history, events, moves, store, progress)
    return BranchEvidence(repo_account, branch_account, evidence)


def verify_cluster(chain: VerifyChain, genesis_hash: str | None) -> None:
    """Checks that the program's Config was made for the pinned cluster.

    The genesis hash of the RPC itself is checked with the client's first request.

    Raises:
        ClusterMismatch: it was made for another one.
    """
    if genesis_hash is None:
        return
    tag = chain.config().genesis_tag
    if Address.parse(genesis_hash).raw != tag.raw:
        raise ClusterMismatch(
            f"the program's Config was made for genesis hash {Address(tag.raw)}, "
            f"pinned is {genesis_hash}"
        )


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


def lineage(history: RepoHistory, branch: Address) -> tuple[MoveRecord, ...]:
    """Every move that led to a branch's head, oldest first.

    A branch that began at a commit of another branch has that branch's moves before its
    own; the move that only named the commit is left out.
    """
    record = history.branches[branch]
    if not record.moves:
        return ()
    first = record.moves[0]
    for other in history.branches.values():
        for move in other.moves if other is not record else ():
            if move.new_head == first.new_head and move.event_seq < first.event_seq:
                before = lineage(history, other.address)
                return (*_up_to(before, move), *record.moves[1:])
    return tuple(record.moves)


def _up_to(moves: tuple[MoveRecord, ...], last: MoveRecord) -> tuple[MoveRecord, ...]:
    heads = [move.new_head for move in moves]
    return moves[: heads.index(last.new_head) + 1]


def _check_accounts(
    chain: VerifyChain,
    history: RepoHistory,
    repo: Address,
    account: RepoAccount,
    branch: BranchAccount,
) -> None:
    """The accounts say what the events say."""
    if (history.creator, history.name) != (account.creator, account.name):
        raise VerificationError("event 1", "another creator or name than the account's")
    if history.authority != account.authority:
        raise VerificationError("repository", "another authority than by its events")
    if len(history.policies) != account.policy_count:
        raise VerificationError(
            "repository", "another number of policies than by its events"
        )
    for policy in history.policies.values():
        if chain.policy(repo, policy.index).digest != policy.digest:
            raise VerificationError(
                f"policy {policy.index}", "its account is not what its event says"
            )
    record = history.branches.get(
        find_branch_pda(repo, branch.name, chain.program_id)[0]
    )
    if record is None:
        raise VerificationError(f"branch {branch.name!r}", "no event made it")
    _check_branch(record, branch)


def _check_branch(record: BranchRecord, branch: BranchAccount) -> None:
    where = f"branch {branch.name!r}"
    if record.head != branch.head_commit:
        raise VerificationError(
            where,
            f"its head is {branch.head_commit.short}, by events {record.head.short}",
        )
    if len(record.moves) != branch.head_seq:
        raise VerificationError(where, "its sequence is not the number of its moves")
    live = record.live_round is not None
    if (record.round_index, live) != (branch.round_index, branch.round_live):
        raise VerificationError(where, "its round is not what the events say")
    if record.policy_index != branch.policy_index:
        raise VerificationError(where, "its policy is not what the events say")


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
