"""Handing a repository over: offered by its owner, taken by the other wallet.

What the old owner gave others is void then. Nothing changes hands by an offer alone.
"""

from dataclasses import dataclass
from enum import StrEnum

from flair_client.chain import instructions
from flair_client.context import Context
from flair_client.errors import Refused, UsageError
from flair_client.ids import ZERO_ADDRESS, Address, CommitId
from flair_client.porcelain.invite import Invite, invite_list
from flair_client.porcelain.role import Role, role_list
from flair_client.porcelain.target import RepoTarget, find_repo
from flair_client.repo_address import RepoAddress


class OfferOutcome(StrEnum):
    """What became of it."""

    PLANNED = "planned"  # a dry run: nothing was sent
    SENT = "sent"
    KNOWN = "known"  # it stood like that before


@dataclass(frozen=True, slots=True)
class Lapsing:
    """What a change of the owner makes void.

    Attributes:
        roles: that hold now.
        invites: that can be used now.
        voted: proposed merges that somebody approved or attested.
    """

    roles: tuple[Role, ...]
    invites: tuple[Invite, ...]
    voted: tuple[CommitId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoOffer:
    """An offer that was made or taken back.

    Attributes:
        offered_to: None where it was taken back.
        lapsing: what the new owner makes void by accepting.
    """

    repo: RepoAddress
    authority: Address
    offered_to: Address | None
    outcome: OfferOutcome
    lapsing: Lapsing
    tx_signature: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoAccepted:
    """A repository that was taken.

    Attributes:
        previous: who owned it.
        authority_epoch: how often the owner changed.
        lapsing: what became void.
    """

    repo: RepoAddress
    authority: Address
    previous: Address
    authority_epoch: int
    outcome: OfferOutcome
    lapsing: Lapsing
    tx_signature: str | None


def repo_offer(
    ctx: Context,
    repo: RepoAddress,
    wallet: Address | None,
    *,
    dry_run: bool = False,
) -> RepoOffer:
    """Offers the repository to a wallet, or takes the offer back.

    Args:
        ctx: with the owner's wallet.
        repo: the repository.
        wallet: who may take it from now on; None takes the offer back.
        dry_run: only tells what would lapse.

    Raises:
        Refused: the wallet in use is not the owner's, or there is no offer to take
            back.
        UsageError: the repository is the wallet's own already.
    """
    target = find_repo(ctx, repo)
    if not target.is_mine:
        raise Refused(
            f"the owner {target.account.authority} offers the repository, this is "
            f"wallet {ctx.wallet.address}"
        )
    if wallet in (ctx.wallet.address, ZERO_ADDRESS):
        raise UsageError(f"{wallet} owns {repo} already, or is nobody")
    pending = target.account.pending_authority
    if wallet is None and pending == ZERO_ADDRESS:
        raise Refused(f"{repo} is offered to nobody")
    known = wallet == pending
    signature = None
    if not (known or dry_run):
        offer = instructions.authority_offer(
            authority=ctx.wallet.address,
            repo=target.address,
            new_authority=ZERO_ADDRESS if wallet is None else wallet,
            program_id=ctx.program_id,
        )
        signature = str(ctx.send([offer]).signature)
    return RepoOffer(
        repo=repo,
        authority=target.account.authority,
        offered_to=wallet,
        outcome=_outcome(known=known, signature=signature),
        lapsing=_lapsing(ctx, target),
        tx_signature=signature,
    )


def repo_accept(
    ctx: Context, repo: RepoAddress, *, dry_run: bool = False
) -> RepoAccepted:
    """Takes a repository that was offered to the wallet in use.

    Args:
        ctx: with the wallet that it was offered to.
        repo: the repository.
        dry_run: only tells what would lapse.

    Raises:
        Refused: it was not offered to this wallet.
    """
    target = find_repo(ctx, repo)
    account, wallet = target.account, ctx.wallet.address
    known = target.is_mine
    if not known and account.pending_authority != wallet:
        raise Refused(f"{repo} was not offered to wallet {wallet}")
    # Read before: behind it the old owner's roles no longer hold.
    nothing = Lapsing((), (), ())
    lapsing = nothing if known else _lapsing(ctx, target)
    signature = None
    if not (known or dry_run):
        accept = instructions.authority_accept(
            new_authority=wallet, repo=target.address, program_id=ctx.program_id
        )
        signature = str(ctx.send([accept]).signature)
    return RepoAccepted(
        repo=repo,
        authority=wallet,
        previous=account.authority,
        authority_epoch=account.authority_epoch + (not known),
        outcome=_outcome(known=known, signature=signature),
        lapsing=lapsing,
        tx_signature=signature,
    )


def _outcome(*, known: bool, signature: str | None) -> OfferOutcome:
    if known:
        return OfferOutcome.KNOWN
    return OfferOutcome.PLANNED if signature is None else OfferOutcome.SENT


def _lapsing(ctx: Context, target: RepoTarget) -> Lapsing:
    epoch = target.account.authority_epoch
    voted = [
        candidate.commit_id
        for branch in ctx.chain.branches(target.address)
        if branch.round_live
        for candidate in ctx.chain.branch_candidates(target.branch(branch.name).address)
        if candidate.round_index == branch.round_index
        and candidate.votes(epoch) != (0, 0)
    ]
    return Lapsing(
        tuple(one for one in role_list(ctx, target.name).roles if one.holds),
        tuple(one for one in invite_list(ctx, target.name).invites if one.holds),
        tuple(voted),
    )
