"""Repositories: made, shown, listed."""

from dataclasses import dataclass

from flair_client.chain.accounts import RepoAccount
from flair_client.chain.instructions import repo_create as build_create
from flair_client.chain.pdas import find_repo_pda
from flair_client.context import Context
from flair_client.errors import AccountMissing, Refused
from flair_client.ids import ZERO_ADDRESS, Address, Digest
from flair_client.porcelain.branch import Branch, branch_list
from flair_client.porcelain.target import find_repo
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class RepoCreated:
    """A new repository.

    Attributes:
        account: address of its account on chain.
    """

    repo: RepoAddress
    account: Address
    points_per_merge: int
    tx_signature: str


@dataclass(frozen=True, slots=True)
class RepoShown:
    """A repository as people see it.

    Attributes:
        authority: the wallet that owns it now.
        offered_to: the wallet that may take it; None where it is offered to nobody.
        event_seq: number of events so far.
        history_root: root over them.
    """

    repo: RepoAddress
    account: Address
    creator: Address
    authority: Address
    offered_to: Address | None
    authority_epoch: int
    policy_count: int
    event_seq: int
    history_root: Digest
    points_total: int
    points_per_merge: int
    created_at: int
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class RepoRow:
    """A line of the list."""

    repo: RepoAddress
    authority: Address
    event_seq: int
    created_at: int


@dataclass(frozen=True, slots=True)
class RepoList:
    """Repositories of a network, by creator and name."""

    network: str
    creator: Address | None
    repos: tuple[RepoRow, ...]


def repo_create(ctx: Context, name: str, *, points_per_merge: int) -> RepoCreated:
    """Makes a repository that belongs to the user's wallet.

    Raises:
        Refused: the wallet has one of this name.
        ProgramRefused: making repositories is paused.
    """
    wallet = ctx.wallet.address
    repo = RepoAddress(ctx.network.name, wallet, name)
    account = find_repo_pda(wallet, name, ctx.program_id)[0]
    if repo_exists(ctx, repo):
        raise Refused(f"{repo} exists already")
    sent = ctx.send(
        [
            build_create(
                payer=wallet,
                creator=wallet,
                name=name,
                points_per_merge=points_per_merge,
                program_id=ctx.program_id,
            )
        ]
    )
    return RepoCreated(repo, account, points_per_merge, str(sent.signature))


def repo_exists(ctx: Context, repo: RepoAddress) -> bool:
    """Whether there is a repository at an address."""
    try:
        find_repo(ctx, repo)
    except AccountMissing:
        return False
    return True


def repo_show(ctx: Context, repo: RepoAddress) -> RepoShown:
    """Gives a repository and its branches.

    Raises:
        AccountMissing: there is none.
    """
    target = find_repo(ctx, repo)
    account = target.account
    return RepoShown(
        repo=repo,
        account=target.address,
        creator=account.creator,
        authority=account.authority,
        offered_to=offered_to(account),
        authority_epoch=account.authority_epoch,
        policy_count=account.policy_count,
        event_seq=account.event_seq,
        history_root=account.history_root,
        points_total=account.points_total,
        points_per_merge=account.points_per_merge,
        created_at=account.created_at,
        branches=branch_list(ctx, repo).branches,
    )


def offered_to(account: RepoAccount) -> Address | None:
    """Gives who may take the repository, if it is offered to anybody."""
    pending = account.pending_authority
    return None if pending == ZERO_ADDRESS else pending


def repo_list(ctx: Context, creator: Address | None = None) -> RepoList:
    """Lists the repositories of a network, or those that one wallet made."""
    network = ctx.network.name
    rows = [
        RepoRow(
            RepoAddress(network, account.creator, account.name),
            account.authority,
            account.event_seq,
            account.created_at,
        )
        for account in ctx.chain.repos(creator)
    ]
    rows.sort(key=lambda row: (str(row.repo.creator), row.repo.name))
    return RepoList(network, creator, tuple(rows))
