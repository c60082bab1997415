"""Reads what commits are compared with: accounts and events that belong together.

Rules 1 to 4 of `verify` are checked here. Nothing is said about any commit yet.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, Self

from flair_client.chain.accounts import (
    BranchAccount,
    ConfigAccount,
    PolicyAccount,
    RepoAccount,
)
from flair_client.chain.pdas import find_branch_pda
from flair_client.errors import AccountMissing, ClusterMismatch, VerificationError
from flair_client.history.checked import Evidence, Judged
from flair_client.history.events import EventChain, collect_events
from flair_client.history.records import BranchRecord, MoveRecord, RepoHistory
from flair_client.history.replay import replay
from flair_client.history.verify_weights import KnownTensor
from flair_client.ids import Address
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store

# Between two reads others may change something; each try reads everything anew.
_TRIES: Final = 5


class VerifyChain(EventChain, Protocol):
    """What is asked of the chain to verify."""

    def config(self) -> ConfigAccount:
        """The program's settings."""

    def branch(self, repo: Address, name: str) -> BranchAccount:
        """A branch's account."""

    def policy(self, repo: Address, index: int) -> PolicyAccount:
        """A policy's account."""


@dataclass(frozen=True, slots=True)
class BranchEvidence:
    """Everything that the commits of one branch are compared with."""

    repo_account: RepoAccount
    branch_account: BranchAccount
    evidence: Evidence

    def taking_light(self, *, takes_light: bool) -> Self:
        """The same, for whom the light form of tensors will do, or not."""
        return replace(self, evidence=replace(self.evidence, takes_light=takes_light))


@dataclass(frozen=True, slots=True)
class RepoEvidence:
    """A repository's accounts and events, which say the same.

    Attributes:
        account: the repository's.
        branches: accounts by name: those asked for.
        history: the events, replayed.
        events: their bytes, from number 1 on.
    """

    address: Address
    program_id: Address
    account: RepoAccount
    branches: dict[str, BranchAccount]
    history: RepoHistory
    events: list[bytes]
    store: Store
    progress: Progress = NO_PROGRESS
    _known_tensors: set[KnownTensor] = field(default_factory=set)
    _judged: Judged = field(default_factory=Judged)

    def branch(self, name: str) -> BranchEvidence:
        """Gives what the commits of one branch are compared with."""
        where = find_branch_pda(self.address, name, self.program_id)[0]
        evidence = Evidence(
            self.history,
            self.events,
            lineage(self.history, where),
            self.store,
            self.progress,
            self._known_tensors,
            self._judged,
        )
        return BranchEvidence(self.account, self.branches[name], evidence)


def gather_evidence(
    chain: VerifyChain,
    store: Store,
    repo: Address,
    branch: str,
    *,
    genesis_hash: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> BranchEvidence:
    """Reads what one branch is compared with, and checks rules 1 to 4.

    Raises:
        VerificationError: names the account or event that is wrong.
        AccountMissing: no such repository or branch.
    """
    gathered = gather_repo(
        chain, store, repo, [branch], genesis_hash=genesis_hash, progress=progress
    )
    return gathered.branch(branch)


def gather_repo(
    chain: VerifyChain,
    store: Store,
    repo: Address,
    branches: Iterable[str] | None = None,
    *,
    genesis_hash: str | None = None,
    progress: Progress = NO_PROGRESS,
    known: RepoEvidence | None = None,
) -> RepoEvidence:
    """Reads accounts and events that belong together, and checks rules 1 to 4.

    Args:
        chain: accounts of one program on one cluster.
        store: where the blocks lie.
        repo: the repository's address.
        branches: names; without them every branch that the events made.
        genesis_hash: of the cluster that is meant, where it is pinned.
        progress: for those who verify commits afterwards.
        known: gathered for this repository before: only what is new is read, and folded
            into its records. It is used up, also where this raises.

    Raises:
        VerificationError: names the account or event that is wrong.
        AccountMissing: no such repository or branch.
    """
    if known is None:
        verify_cluster(chain, genesis_hash)
        known = _nothing_known(chain, store, repo, progress)
    events, history = known.events, known.history
    compared = set(history.policies)
    wanted = None if branches is None else list(branches)
    tries = _TRIES
    while True:
        account = chain.repo(repo)
        if account.event_seq < len(events):
            raise VerificationError(
                "repository", f"its account is older than event {len(events)}"
            )
        new = collect_events(chain, store, account, len(events) + 1)
        history = replay(repo, new, history=history)
        events = [*events, *new]
        names = [one.name for one in history.branches.values()]
        if wanted is not None:
            names = wanted
        accounts = {name: _branch_account(chain, history, name) for name in names}
        if chain.repo(repo).event_seq == account.event_seq or tries == 1:
            break
        tries -= 1
    _check_repo(chain, history, account, compared)
    for branch in accounts.values():
        _check_branch(_record_of(chain, history, branch), branch)
    return replace(
        known, account=account, branches=accounts, history=history, events=events
    )


def _nothing_known(
    chain: VerifyChain, store: Store, repo: Address, progress: Progress
) -> RepoEvidence:
    account = chain.repo(repo)
    history = RepoHistory(repo)
    return RepoEvidence(
        repo, chain.program_id, account, {}, history, [], store, progress
    )


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


def _branch_account(
    chain: VerifyChain, history: RepoHistory, name: str
) -> BranchAccount:
    """Reads a branch; that the events made it and the RPC hides it is a verdict."""
    try:
        return chain.branch(history.repo, name)
    except AccountMissing as exc:
        made = find_branch_pda(history.repo, name, chain.program_id)[0]
        if made not in history.branches:
            raise AccountMissing(made, "branch", repr(name)) from exc
        raise VerificationError(
            f"branch {name!r}", "an event made it, its account is missing"
        ) from exc


def _check_repo(
    chain: VerifyChain,
    history: RepoHistory,
    account: RepoAccount,
    compared: Container[int],
) -> None:
    """The repository's accounts say what the events say.

    Policies that were compared before never change.
    """
    if (history.creator, history.name) != (account.creator, account.name):
        raise VerificationError("event 1", "another creator or name than the account's")
    if (history.authority, history.authority_epoch) != (
        account.authority,
        account.authority_epoch,
    ):
        raise VerificationError("repository", "another authority than by its events")
    if history.offered_to != account.pending_authority:
        raise VerificationError("repository", "another offer than by its events")
    if history.sponsor != account.sponsor:
        raise VerificationError("repository", "another sponsor than by its events")
    if len(history.policies) != account.policy_count:
        raise VerificationError(
            "repository", "another number of policies than by its events"
        )
    for policy in history.policies.values():
        if policy.index in compared:
            continue
        if chain.policy(history.repo, policy.index).digest != policy.digest:
            raise VerificationError(
                f"policy {policy.index}", "its account is not what its event says"
            )


def _record_of(
    chain: VerifyChain, history: RepoHistory, branch: BranchAccount
) -> BranchRecord:
    where = find_branch_pda(history.repo, branch.name, chain.program_id)[0]
    record = history.branches.get(where)
    if record is None:
        raise VerificationError(f"branch {branch.name!r}", "no event made it")
    return record


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
