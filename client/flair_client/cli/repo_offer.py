"""`flair repo offer` and `flair repo accept`: hands a repository over."""

import click

from flair_client.cli.command import command
from flair_client.cli.options import repo_option
from flair_client.cli.role import scope_text
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.porcelain.repo_offer import (
    Lapsing,
    OfferOutcome,
    RepoAccepted,
    RepoOffer,
    repo_accept,
    repo_offer,
)

_dry_run = click.option(
    "-n", "--dry-run", is_flag=True, help="Only show what would lapse; send nothing."
)


@command(
    "offer",
    result=RepoOffer,
    examples=(
        "flair repo offer 9xQe…VkjF",
        "flair repo offer 9xQe…VkjF --dry-run",
        "flair repo offer --cancel",
    ),
)
@click.argument("new_owner", type=ADDRESS, metavar="[WALLET]", required=False)
@click.option("--cancel", is_flag=True, help="Take the offer that stands back.")
@_dry_run
@repo_option
def offer(
    app: App,
    new_owner: Address | None,
    *,
    cancel: bool,
    dry_run: bool,
    repo: str | None,
) -> None:
    """Offers the repository to another wallet; owner only.

    Nothing changes hands before that wallet runs `flair repo accept`. Then every role,
    every invite and every approval and attestation from before is void: they are
    listed. A second offer takes the place of the first.
    """
    if cancel == (new_owner is not None):
        raise UsageError("give the wallet, or --cancel to take the offer back")
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    done = repo_offer(ctx, address.at(None), new_owner, dry_run=dry_run)
    app.out.result(done, lambda: _offer_text(done))
    if done.offered_to is not None:
        _warn(app, done.lapsing, "when it is accepted")
    _note(app, done.outcome)


@command(
    "accept",
    result=RepoAccepted,
    examples=(
        "flair repo accept flair://devnet/9xQe…VkjF/heart",
        "flair repo accept --dry-run",
    ),
)
@click.argument("repo", required=False)
@_dry_run
def accept(app: App, repo: str | None, *, dry_run: bool) -> None:
    """Takes a repository that its owner offered to your wallet.

    You are its owner then. Every role, invite, approval and attestation that the old
    owner gave is void, and listed: grant again what shall go on. Policies, branches,
    the round in progress and the sponsor stay as they are.
    """
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    done = repo_accept(ctx, address.at(None), dry_run=dry_run)
    app.out.result(done, lambda: _accepted_text(done))
    _warn(app, done.lapsing, "with it")
    _note(app, done.outcome)


def _offer_text(done: RepoOffer) -> str:
    what = f"offered to {done.offered_to}"
    if done.offered_to is None:
        what = "no longer offered"
    verb = "would be" if done.outcome is OfferOutcome.PLANNED else "is"
    before = " already" if done.outcome is OfferOutcome.KNOWN else ""
    return f"{done.repo} {verb} {what}{before}"


def _accepted_text(done: RepoAccepted) -> str:
    match done.outcome:
        case OfferOutcome.KNOWN:
            return f"{done.repo} belongs to {done.authority} already"
        case OfferOutcome.PLANNED:
            return f"{done.repo} would belong to {done.authority}"
        case _:
            return f"{done.repo} belongs to {done.authority}, before to {done.previous}"


def _warn(app: App, lapsing: Lapsing, when: str) -> None:
    """Lists what a change of the owner makes void."""
    lines = [
        f"role of {one.grantee} on {one.branch or 'every branch'}: "
        f"{scope_text(one.scope)}"
        for one in lapsing.roles
    ]
    lines += [
        f"invite {one.key} on {one.branch or 'every branch'}, {one.uses_left} uses left"
        for one in lapsing.invites
    ]
    lines += [f"votes for the proposed merge {one.short}" for one in lapsing.voted]
    if lines:
        app.out.warn("\n".join((f"these lapse {when}:", *(f"  {x}" for x in lines))))


def _note(app: App, outcome: OfferOutcome) -> None:
    if outcome is OfferOutcome.PLANNED:
        app.out.note("nothing was sent")
