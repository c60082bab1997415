"""`flair pin`: has pinning services keep commits on the IPFS network."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields, table
from flair_client.cli.reading import open_reading
from flair_client.cli.session import App
from flair_client.cli.types import DURATION
from flair_client.errors import WalletError
from flair_client.porcelain.pin import (
    PinList,
    Pinned,
    PinRemoved,
    PinWatched,
    check_service,
    check_token,
    pin_add,
    pin_follow,
    pin_list,
    pin_remove,
    read_token,
)

if TYPE_CHECKING:
    from flair_client.store.pinning import Pin, PinService

TOKEN_VARIABLE = "FLAIR_PIN_TOKEN"  # noqa: S105 - the name of a variable


def service_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which service is asked, and with which token."""
    for option in (
        click.option(
            "--token-file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="File of the token, or setting pin.token_file; else FLAIR_PIN_TOKEN.",
        ),
        click.option(
            "--service",
            metavar="URL",
            help="The service's endpoint; without it the setting pin.url.",
        ),
    ):
        verb = option(verb)
    return verb


def wait_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """How long a pin is waited for."""
    return click.option(
        "--timeout",
        type=DURATION,
        default="1h",
        metavar="TIME",
        help="Wait no longer than this until it is pinned; 1h without it.",
    )(verb)


@group("pin", examples=("flair pin add main", "flair pin list"))
def pin_command() -> None:
    """Has pinning services keep commits on the IPFS network.

    A pin of a commit holds its whole history. Any service with the IPFS Pinning Service
    API will do; the token comes from a file or the environment.
    """


@command(
    "add",
    result=Pinned,
    examples=(
        "flair pin add main --service https://pins.example/psa --token-file ~/token",
        "flair pin add main --replace 8f2c1d",
    ),
)
@click.argument("ref", required=False)
@click.option(
    "--name", metavar="TEXT", help="What the service calls it; without it the commit."
)
@click.option(
    "--replace",
    metavar="REQUEST",
    help="Put it in an older pin's place; what both hold stays all the time.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait until it is pinned.")
@wait_option
@service_options
def add(
    app: App,
    ref: str | None,
    *,
    name: str | None,
    replace: str | None,
    no_wait: bool,
    timeout: int,
    service: str | None,
    token_file: Path | None,
) -> None:
    """Asks a service to keep a commit, and waits until it has it all.

    REF is a branch, a tag, HEAD, the first digits of a commit, or one of them with ~N;
    without it HEAD. Outside a clone it is a repository's address. A commit that the
    service keeps already is not asked for twice.
    """
    reading, inner = open_reading(app, ref)
    ctx = app.context()
    with _opened(app, service, token_file) as opened:
        made = pin_add(ctx, reading, opened, inner, name=name, replace=replace)
        if made.n_delegates:
            app.out.note(f"the node meets {made.n_delegates} of the service's nodes")
        pin = made.pin
        if not no_wait:
            _tell(app, pin)
            pin = pin_follow(
                opened, pin, most_s=timeout, heard=lambda one: _tell(app, one)
            )
        done = Pinned(made.service, made.commit, pin, made.n_delegates)
    app.out.result(done, lambda: _text(done.service, done.pin))


@command("list", result=PinList, examples=("flair pin list",))
@service_options
def list_(app: App, *, service: str | None, token_file: Path | None) -> None:
    """Lists the pins of the account, whoever asked for them."""
    with _opened(app, service, token_file) as opened:
        found = pin_list(app.site, opened)
    rows = [(one.request_id, one.state, one.cid, one.name) for one in found.pins]
    app.out.result(found, lambda: table(("REQUEST", "STATE", "CID", "NAME"), rows))


@command("watch", result=PinWatched, examples=("flair pin watch 8f2c1d",))
@click.argument("request")
@wait_option
@service_options
def watch(
    app: App,
    request: str,
    *,
    timeout: int,
    service: str | None,
    token_file: Path | None,
) -> None:
    """Waits until a service has everything that a pin asks for."""
    with _opened(app, service, token_file) as opened:
        app.site.check_url(opened.url)
        pin = opened.look(request)
        _tell(app, pin)
        pin = pin_follow(opened, pin, most_s=timeout, heard=lambda one: _tell(app, one))
        found = PinWatched(opened.url, pin)
    app.out.result(found, lambda: _text(found.service, found.pin))


@command("remove", result=PinRemoved, examples=("flair pin remove 8f2c1d",))
@click.argument("request")
@service_options
def remove(
    app: App, request: str, *, service: str | None, token_file: Path | None
) -> None:
    """Gives a pin up; the service forgets what no other pin holds."""
    with _opened(app, service, token_file) as opened:
        done = pin_remove(app.site, opened, request)
    app.out.result(done)
    app.out.note(f"{done.service} keeps {done.request_id} no longer")


@contextmanager
def _opened(
    app: App, service: str | None, token_file: Path | None
) -> "Iterator[PinService]":
    from flair_client.store.pinning import PinService

    url = check_service(service or app.settings.text("pin.url"))
    opened = PinService(url, _token(app, token_file))
    try:
        yield opened
    finally:
        opened.close()


def _token(app: App, token_file: Path | None) -> str:
    named = token_file or app.settings.text("pin.token_file")
    if named is not None:
        return read_token(Path(named), workspace=app.settings.workspace)
    text = os.environ.get(TOKEN_VARIABLE)
    if not text:
        raise WalletError(
            f"no token: --token-file, setting pin.token_file, or {TOKEN_VARIABLE}"
        )
    return check_token(text, TOKEN_VARIABLE)


def _tell(app: App, pin: "Pin") -> None:
    more = f": {pin.details}" if pin.details else ""
    app.out.note(f"{pin.request_id} is {pin.state.value}{more}")


def _text(service: str, pin: "Pin") -> str:
    return fields(
        (
            ("service", service),
            ("request", pin.request_id),
            ("state", pin.state.value),
            ("cid", pin.cid),
            ("name", pin.name),
        )
    )


for _verb in (add, list_, watch, remove):
    pin_command.add_command(_verb)
