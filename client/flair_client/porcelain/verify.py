"""Verifies a repository as a stranger would: its address, an RPC, a store, no more."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flair_client.chain.pdas import find_repo_pda
from flair_client.context import Context
from flair_client.errors import (
    AccountInvalid,
    ClusterMismatch,
    RefUnknown,
    VerificationError,
)
from flair_client.history.checked import InvalidCommit
from flair_client.history.evidence import RepoEvidence, gather_repo
from flair_client.history.line import LineState
from flair_client.history.verify import CommitReport, report_of, walk_line
from flair_client.ids import Address, CommitId, Digest
from flair_client.porcelain.refs import MIN_DIGITS, Tag, names_for, resolve_commit
from flair_client.porcelain.target import called
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class VerifiedBranch:
    """How far a branch holds.

    Attributes:
        head: on chain; None before the root.
        valid_head: the newest commit that checks; None where not even the first does.
        since: the trusted commit where the check began; None for all of it.
        fault: the first thing that is wrong; None where the head is valid.
        commits: those that were found right, oldest first.
        invalid: those that are wrong, whether a later one left them behind or not.
    """

    branch: str
    head: CommitId | None
    head_seq: int
    valid_head: CommitId | None
    since: CommitId | None
    fault: str | None
    commits: tuple[CommitReport, ...]
    invalid: tuple[InvalidCommit, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found.

    Attributes:
        address: of the repository's account.
        genesis_hash: of the cluster that answered.
        pinned: whether the network's profile demands this genesis hash.
        n_events: events that fold to `history_root`.
        valid: whether every head is valid; wrong commits may lie behind repairs.
        fault: the first thing that is wrong; None where every head is valid.
    """

    repo: RepoAddress
    address: Address
    program_id: Address
    genesis_hash: str
    pinned: bool
    n_events: int
    history_root: Digest
    branches: tuple[VerifiedBranch, ...]
    valid: bool
    fault: str | None


def verify(
    ctx: Context,
    repo: RepoAddress,
    *,
    branch: str | None = None,
    since: str | None = None,
    tags: Mapping[str, Tag] | None = None,
    on_commit: Callable[[CommitReport | InvalidCommit], None] = lambda _: None,
) -> Verified:
    """Checks the history of one branch, or of every branch.

    Args:
        ctx: read only; its store is the shared one and is not trusted.
        repo: the repository; `@BRANCH` in it is not looked at.
        branch: its name; without one all of them.
        since: a trusted commit: branches that have it are checked from there on.
        tags: the user's own names, for `since`.
        on_commit: told of each commit at once.

    Raises:
        VerificationError: accounts or events are wrong, so that nothing can be said
            about any commit.
        ClusterMismatch: the RPC or the program belongs to another cluster.
        AccountMissing: there is no such repository or branch.
        RefUnknown: `since` names no commit of these branches.
        StoreUnavailable, RpcUnavailable: no verdict could be reached.
    """
    genesis_hash = checked_genesis_hash(ctx)
    address = find_repo_pda(repo.creator, repo.name, ctx.program_id)[0]
    try:
        with called(address, repo.at(None)):
            evidence = gather_repo(
                ctx.chain,
                ctx.remote,
                address,
                None if branch is None else [branch],
                genesis_hash=genesis_hash,
                progress=ctx.progress,
            )
    except AccountInvalid as exc:
        # Whoever answers with such an account lies; that is a verdict, not an outage.
        raise VerificationError(f"account {exc.address}", exc.reason) from exc
    start = None if since is None else _start(ctx, evidence, since, tags or {})
    found = tuple(
        _verify_branch(evidence, name, start, on_commit) for name in evidence.branches
    )
    fault = next((one.fault for one in found if one.fault is not None), None)
    return Verified(
        repo.at(None),
        address,
        ctx.program_id,
        genesis_hash,
        ctx.network.genesis_hash is not None,
        evidence.account.event_seq,
        evidence.account.history_root,
        found,
        fault is None,
        fault,
    )


def checked_genesis_hash(ctx: Context) -> str:
    """Asks the RPC for its genesis hash and compares it with the profile's.

    Raises:
        ClusterMismatch: it is another one.
    """
    actual = ctx.chain.rpc.get_genesis_hash()
    pinned = ctx.network.genesis_hash
    if pinned is not None and actual != pinned:
        raise ClusterMismatch(
            f"the RPC belongs to the cluster with genesis hash {actual}, "
            f"pinned is {pinned}"
        )
    return actual


def _start(
    ctx: Context, evidence: RepoEvidence, since: str, tags: Mapping[str, Tag]
) -> CommitId:
    heads = {
        name: account.head_commit
        for name, account in evidence.branches.items()
        if any(account.head_commit.raw)
    }
    known = {
        move.new_head
        for name in heads
        for move in evidence.branch(name).evidence.moves
        if str(move.new_head).startswith(since)
    }
    if len(known) == 1 and since not in heads and len(since) >= MIN_DIGITS:
        return known.pop()
    start = resolve_commit(ctx.remote, names_for(heads, tags), None, since)
    for name in heads:
        moves = evidence.branch(name).evidence.moves
        if start in [move.new_head for move in moves]:
            return start
    raise RefUnknown(f"commit {start.short} was never the head of these branches")


def _verify_branch(
    evidence: RepoEvidence,
    name: str,
    start: CommitId | None,
    on_commit: Callable[[CommitReport | InvalidCommit], None],
) -> VerifiedBranch:
    gathered = evidence.branch(name)
    moves = gathered.evidence.moves
    since = start if start in [move.new_head for move in moves] else None
    commits: list[CommitReport] = []
    wrong: list[InvalidCommit] = []
    state = LineState()
    for move, after in walk_line(gathered.evidence, since=since):
        found = report_of(gathered.evidence, move, state, after)
        if isinstance(found, InvalidCommit):
            wrong.append(found)
        else:
            commits.append(found)
        on_commit(found)
        state = after
    account = gathered.branch_account
    return VerifiedBranch(
        name,
        account.head_commit if any(account.head_commit.raw) else None,
        account.head_seq,
        _last(commits) or since,
        since,
        None if state.fault is None else str(state.fault),
        tuple(commits),
        tuple(wrong),
    )


def _last(commits: Sequence[CommitReport]) -> CommitId | None:
    return commits[-1].commit_id if commits else None
