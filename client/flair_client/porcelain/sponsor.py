"""Sponsors: who pays for contributors, named by the owner, run by anybody."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flair_client.chain import instructions
from flair_client.context import Context
from flair_client.errors import NoSponsor, UsageError
from flair_client.ids import ZERO_ADDRESS, Address
from flair_client.porcelain.target import RepoTarget, find_repo
from flair_client.repo_address import RepoAddress
from flair_client.sponsor.ledger import Caps, Ledger
from flair_client.sponsor.rules import Purpose, Terms

if TYPE_CHECKING:
    from flair_client.sponsor.desk import Desk

DEFAULT_PORT: Final = 8898
FOLDER: Final = "sponsor"


@dataclass(frozen=True, slots=True)
class SponsorSet:
    """A repository's new sponsor; None is nobody."""

    repo: RepoAddress
    sponsor: Address | None
    previous: Address | None
    tx_signature: str


@dataclass(frozen=True, slots=True)
class WalletCost:
    """The most that a wallet has cost its sponsor today, in lamports."""

    wallet: Address
    lamports: int


@dataclass(frozen=True, slots=True)
class SponsorStatus:
    """What a sponsor has signed for today, in UTC.

    Attributes:
        lamports: what its wallet holds.
        n_signed: transactions.
        request, join, contribute: lamports, by the most that each signature can cost.
        wallets: the dearest first.
    """

    sponsor: Address
    lamports: int
    n_signed: int
    request: int
    join: int
    contribute: int
    wallets: tuple[WalletCost, ...]


@dataclass(frozen=True, slots=True)
class SponsorRunning:
    """A sponsor that answers."""

    url: str
    sponsor: Address
    repos: tuple[RepoAddress, ...]


def sponsor_set(ctx: Context, repo: RepoAddress, sponsor: Address | None) -> SponsorSet:
    """Names who pays for a repository's contributors; it gets no other right.

    Args:
        ctx: with the owner's wallet.
        repo: the repository.
        sponsor: its address; None takes the old one away.

    Raises:
        ProgramRefused: the wallet is not the owner's.
    """
    target = find_repo(ctx, repo)
    sent = ctx.send(
        [
            instructions.repo_set_sponsor(
                authority=ctx.wallet.address,
                repo=target.address,
                sponsor=ZERO_ADDRESS if sponsor is None else sponsor,
                program_id=ctx.program_id,
            )
        ]
    )
    before = target.account.sponsor
    previous = None if before == ZERO_ADDRESS else before
    return SponsorSet(repo, sponsor, previous, str(sent.signature))


def open_desk(
    ctx: Context,
    repos: Iterable[RepoAddress],
    *,
    caps: Caps,
    max_priority_lamports: int,
) -> "Desk":
    """Gets ready to sign for contributors of these repositories, and of no others.

    Anybody can make a repository that names this wallet as its sponsor. So those that
    it pays for are named here.

    Args:
        ctx: with the sponsor's wallet.
        repos: on the context's network.
        caps: for a day.
        max_priority_lamports: most that one transaction may offer to be taken early.

    Raises:
        UsageError: no repository is named.
        NoSponsor: a repository has another sponsor than this wallet, or none.
    """
    from flair_client.sponsor.desk import Desk

    targets = [find_repo(ctx, repo) for repo in repos]
    if not targets:
        raise UsageError("no repository is named to pay for")
    for target in targets:
        _check_named(target)
    return Desk(
        chain=ctx.chain,
        signer=ctx.wallet,
        terms=Terms(
            sponsor=ctx.wallet.address,
            program_id=ctx.program_id,
            repos=frozenset(target.address for target in targets),
            max_priority_lamports=max_priority_lamports,
        ),
        caps=caps,
        ledger=sponsor_ledger(ctx),
        now=ctx.now,
    )


def _check_named(target: RepoTarget) -> None:
    if target.sponsor != target.ctx.wallet.address:
        raise NoSponsor(
            f"the sponsor of {target.account.name!r} is {target.sponsor}, "
            f"the wallet in use is {target.ctx.wallet.address}"
        )


def sponsor_ledger(ctx: Context) -> Ledger:
    """Gives the ledger of the wallet in use, one for each network.

    Raises:
        UsageError: there is no folder to keep it in.
    """
    if ctx.home is None:
        raise UsageError("a sponsor needs a folder for its ledger")
    name = f"{ctx.network.name}-{ctx.wallet.address}.db"
    return Ledger(Path(ctx.home) / FOLDER / name)


def sponsor_status(ctx: Context) -> SponsorStatus:
    """Tells what the wallet in use has signed for today."""
    spent = sponsor_ledger(ctx).spent(ctx.now())
    sponsor = ctx.wallet.address
    return SponsorStatus(
        sponsor=sponsor,
        lamports=ctx.chain.rpc.get_balance(sponsor),
        n_signed=spent.n_signed,
        request=spent.by_purpose[Purpose.REQUEST],
        join=spent.by_purpose[Purpose.JOIN],
        contribute=spent.by_purpose[Purpose.CONTRIBUTE],
        wallets=tuple(WalletCost(who, cost) for who, cost in spent.by_wallet),
    )
