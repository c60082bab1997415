"""`flair join`: takes a role by a link, or asks for one."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from flair_client.cli.clone import ask_for_trust
from flair_client.cli.command import command
from flair_client.cli.invite import INVITABLE
from flair_client.cli.role import scope_of, scope_text, until_text
from flair_client.cli.session import App
from flair_client.cli.types import BRANCH_NAME
from flair_client.context import Context
from flair_client.errors import UsageError
from flair_client.invite_link import InviteLink, check_sponsor_url, is_invite_link
from flair_client.porcelain.join import Joined, Requested, join, join_request
from flair_client.repo_address import RepoAddress, is_repo_address

_STDIN_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class JoinResult:
    """What joining led to: a role, or a request for one."""

    joined: Joined | None
    requested: Requested | None


@command(
    "join",
    result=JoinResult,
    examples=(
        "flair join 'flair://devnet/9xQe…VkjF/heart#invite=…'",
        "flair join - heart --trust < link.txt",
        "flair join flair://devnet/9xQe…VkjF/heart --request --note 'ICU of Ulm'",
    ),
)
@click.argument("link", metavar="LINK|ADDRESS|-")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--request", is_flag=True, help="Ask the owner of ADDRESS for a role.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(INVITABLE),
    help="With --request: what to ask for; may be repeated. Without it to contribute.",
)
@click.option(
    "--branch",
    type=BRANCH_NAME,
    metavar="NAME",
    help="With --request: only on this branch.",
)
@click.option(
    "--note",
    metavar="TEXT",
    help="With --request: words for the owner; everybody can read them.",
)
@click.option(
    "--sponsor",
    metavar="URL",
    help="Who pays; without it the link's, or the setting sponsor.url.",
)
@click.option(
    "--store",
    metavar="URL",
    help="Where the repository's blocks are, instead of the network's store.",
)
@click.option("--no-clone", is_flag=True, help="Take the role and fetch nothing.")
@click.option(
    "--trust",
    "accept",
    is_flag=True,
    help="Accept recipe, policy and owner without a look.",
)
def join_command(
    app: App,
    link: str,
    folder: Path | None,
    *,
    request: bool,
    scopes: Sequence[str],
    branch: str | None,
    note: str | None,
    sponsor: str | None,
    store: str | None,
    no_clone: bool,
    accept: bool,
) -> None:
    """Joins a repository by a link, or asks its owner.

    LINK is what `flair invite create` printed; put it in quotes, or give - and let it
    come from standard input. The role goes to the wallet in use, and the repository is
    fetched into FOLDER, or a folder of its name. Cut off on the way, the same command
    goes on where it stopped. The sponsor of a link pays for later pushes as well.
    """
    if link == "-":
        link = sys.stdin.read(_STDIN_LIMIT).strip()
        if not link:
            raise UsageError("standard input holds no link")
    asked = bool(scopes) or branch is not None or note is not None
    if request and is_invite_link(link):
        raise UsageError("--request is for an address without an invitation")
    if not request and is_repo_address(link):
        raise UsageError(
            "this is an address and no invitation; --request asks its owner"
        )
    if request:
        if folder is not None or no_clone or accept:
            raise UsageError("with --request nothing is fetched yet")
        address = app.repo_address(link)
        ctx = app.context(
            signer=True, network=address.network, new_workspace=True, store=store
        )
        if sponsor is not None:
            ctx = replace(ctx, sponsor_url=check_sponsor_url(sponsor))
        _request(app, ctx, address, scopes or ("contribute",), branch, note)
        return
    if asked or (no_clone and folder is not None):
        raise UsageError("the link says what it offers; options do not fit it")
    invited = InviteLink.parse(link)
    if sponsor is not None:
        invited = replace(invited, sponsor_url=check_sponsor_url(sponsor))
    ctx = app.context(
        signer=True, network=invited.repo.network, new_workspace=True, store=store
    )
    place = None if no_clone else folder or Path(invited.repo.name)
    _join(app, ctx, invited, place, accept=accept)


def _request(  # noqa: PLR0917 - the options as they came
    app: App,
    ctx: Context,
    address: RepoAddress,
    scopes: Sequence[str],
    branch: str | None,
    note: str | None,
) -> None:
    made = join_request(
        ctx, address.at(None), scope=scope_of(scopes), branch=branch, note=note
    )
    app.out.result(
        JoinResult(None, made),
        lambda: f"{made.wallet} asked to {scope_text(made.scope)}",
    )
    app.out.note("the owner answers with `flair role grant`; then `flair clone`")


def _join(
    app: App, ctx: Context, link: InviteLink, place: Path | None, *, accept: bool
) -> None:
    done = join(ctx, link, place, trust=accept)
    if done.cloned is not None:
        done = replace(done, cloned=ask_for_trust(app, ctx, done.cloned))
    fault = None if done.cloned is None else done.cloned.fault
    app.out.result(
        JoinResult(done, None),
        lambda: _text(done),
        exit_code=0 if fault is None else 5,
        message=fault,
    )
    if done.cloned is not None and not done.cloned.trusted:
        app.out.note("not trusted yet: look at it and accept it with `flair trust`")


def _text(done: Joined) -> str:
    where = f"on {done.branch or 'every branch'}{until_text(done.expires_at)}"
    lines = [f"{done.wallet} may {scope_text(done.scope)} {where}"]
    if done.tx_signature is None:
        lines[0] += " already"
    elif done.paid_by != done.wallet:
        lines.append(f"paid by the sponsor {done.paid_by}")
    if done.cloned is not None:
        lines.append(f"cloned {done.repo} into {done.cloned.folder}")
    return "\n".join(lines)
