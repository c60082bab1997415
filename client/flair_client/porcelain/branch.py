"""Branches: movable names for commits."""

from dataclasses import dataclass

from flair_client.chain.accounts import BranchAccount, Scope
from flair_client.chain.instructions import branch_create as build_create
from flair_client.chain.pdas import find_branch_pda
from flair_client.context import Context
from flair_client.ids import Address, CommitId
from flair_client.porcelain.target import find_repo
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as people see it.

    Attributes:
        head: None until the root is set.
        round_index: the live round's, or else the next round's.
        round_live: whether a round is in progress.
    """

    name: str
    address: Address
    head: CommitId | None
    head_seq: int
    round_index: int
    round_live: bool
    policy_index: int
    protected: bool


@dataclass(frozen=True, slots=True)
class BranchList:
    """The branches of a repository, by name."""

    repo: RepoAddress
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class BranchCreated:
    """A new branch without a head."""

    repo: RepoAddress
    name: str
    address: Address
    policy_index: int
    protected: bool
    first_round: int
    tx_signature: str


def show_branch(account: BranchAccount, address: Address) -> Branch:
    """Gives a branch's account as people see it."""
    head = account.head_commit
    return Branch(
        name=account.name,
        address=address,
        head=head if any(head.raw) else None,
        head_seq=account.head_seq,
        round_index=account.round_index,
        round_live=account.round_live,
        policy_index=account.policy_index,
        protected=account.protected,
    )


def branch_list(ctx: Context, repo: RepoAddress) -> BranchList:
    """Lists a repository's branches.

    Raises:
        AccountMissing: there is no such repository.
    """
    target = find_repo(ctx, repo)
    branches = [
        show_branch(
            account, find_branch_pda(target.address, account.name, ctx.program_id)[0]
        )
        for account in ctx.chain.branches(target.address)
    ]
    return BranchList(repo, tuple(sorted(branches, key=lambda item: item.name)))


def branch_create(
    ctx: Context,
    repo: RepoAddress,
    name: str,
    *,
    policy_index: int | None = None,
    protected: bool = False,
    first_round: int = 1,
) -> BranchCreated:
    """Makes a branch without a head.

    Args:
        ctx: with the wallet of the owner or an administrator.
        repo: the repository.
        name: the branch's name.
        policy_index: rules of its first round; None is the newest policy.
        protected: whether the owner alone may move it.
        first_round: 0 where statistics are collected before training, else 1.

    Raises:
        ProgramRefused: the wallet may not, there is such a branch, or no such policy.
    """
    target = find_repo(ctx, repo)
    newest = max(target.account.policy_count - 1, 0)
    index = newest if policy_index is None else policy_index
    wallet = ctx.wallet.address
    sent = ctx.send(
        [
            build_create(
                payer=wallet,
                actor=wallet,
                repo=target.address,
                name=name,
                policy_index=index,
                protected=protected,
                first_round=first_round,
                role=target.right(Scope.ADMINISTER),
                program_id=ctx.program_id,
            )
        ]
    )
    address = find_branch_pda(target.address, name, ctx.program_id)[0]
    return BranchCreated(
        repo, name, address, index, protected, first_round, str(sent.signature)
    )
