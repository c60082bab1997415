"""`flair sponsor`: pays for a repository's contributors."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.options import repo_option
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.types import SOL, sol_text
from flair_client.ids import Address
from flair_client.porcelain.sponsor import (
    DEFAULT_PORT,
    SponsorRunning,
    SponsorSet,
    SponsorStatus,
    open_desk,
    sponsor_set,
    sponsor_status,
)
from flair_client.sponsor.ledger import Caps
from flair_client.sponsor.rules import Purpose

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NOBODY = "none"


@group(
    "sponsor",
    examples=("flair sponsor set 5Gk1…pQ7r", "flair sponsor run --repo heart"),
)
def sponsor_command() -> None:
    """Pays fees and rent for contributors.

    The owner names a wallet as the repository's sponsor. Whoever holds it runs the
    service, which signs nothing but joining and contributing, up to its caps. Rent and
    deposits come back to the sponsor when rounds are over.
    """


@command(
    "set",
    result=SponsorSet,
    examples=("flair sponsor set 5Gk1…pQ7r", "flair sponsor set none"),
)
@click.argument("sponsor", metavar="ADDRESS|none")
@repo_option
def set_(app: App, sponsor: str, *, repo: str | None) -> None:
    """Names a repository's sponsor; it gets no other right.

    Take a wallet of its own that holds no more than you would lend.
    """
    wanted = None if sponsor == _NOBODY else Address.parse(sponsor)
    address = app.repo_address(repo)
    ctx = app.context(signer=True, network=address.network)
    done = sponsor_set(ctx, address, wanted)
    app.out.result(
        done,
        lambda: (
            f"{address} has no sponsor any more"
            if done.sponsor is None
            else f"{done.sponsor} may pay for the contributors of {address}"
        ),
    )


@command(
    "run",
    result=SponsorRunning,
    examples=(
        "flair sponsor run --wallet payer --repo 9xQe…VkjF/heart",
        "flair sponsor run --wallet payer --repo heart --per-day 2 --per-wallet 0.1",
    ),
)
@click.option(
    "--repo",
    "repos",
    multiple=True,
    required=True,
    metavar="REPO",
    help="A repository to pay for; may be repeated. No other one is.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="HOST",
    help="Address to listen at; this machine alone without it.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    metavar="N",
    help="Port; 8898 without it, 0 takes a free one.",
)
@click.option(
    "--per-day",
    type=SOL,
    default="1",
    metavar="SOL",
    help="Most for contributing within a day, all wallets together; 1 without it.",
)
@click.option(
    "--joins-per-day",
    type=SOL,
    default="0.1",
    metavar="SOL",
    help="Most for invited wallets that join within a day; 0.1 without it.",
)
@click.option(
    "--requests-per-day",
    type=SOL,
    default="0.05",
    metavar="SOL",
    help="Most for what anybody may ask within a day; 0.05 without it.",
)
@click.option(
    "--per-wallet",
    type=SOL,
    default="0.05",
    metavar="SOL",
    help="Most for one wallet within a day; 0.05 without it.",
)
@click.option(
    "--max-priority",
    type=SOL,
    default="0.0001",
    metavar="SOL",
    help="Most that one transaction may offer to be taken early; 0.0001 without it.",
)
def run(
    app: App,
    *,
    repos: tuple[str, ...],
    host: str,
    port: int,
    per_day: int,
    joins_per_day: int,
    requests_per_day: int,
    per_wallet: int,
    max_priority: int,
) -> None:
    """Pays for contributors until it is stopped.

    It signs with the wallet in use. Days are counted in UTC. Behind a proxy that speaks
    TLS it can be reached from elsewhere; the service itself speaks plain HTTP.
    """
    addresses = [app.repo_address(one).at(None) for one in repos]
    ctx = app.context(signer=True, network=addresses[0].network)
    desk = open_desk(
        ctx,
        addresses,
        caps=Caps(
            {
                Purpose.REQUEST: requests_per_day,
                Purpose.JOIN: joins_per_day,
                Purpose.CONTRIBUTE: per_day,
            },
            per_wallet,
        ),
        max_priority_lamports=max_priority,
    )
    # Other commands need no server.
    from flair_client.serving import listen, serve, url_of
    from flair_client.sponsor.server import create_app

    with listen(host, port) as listener:
        url = url_of(host, listener)
        running = SponsorRunning(url, ctx.wallet.address, tuple(addresses))

        def ready() -> None:
            app.out.result(running, lambda: _running_text(running), now=True)
            app.out.note("Ctrl-C ends it; what it spent today is kept")

        if host not in _LOOPBACK:
            app.out.warn(f"plain HTTP at {host}: put a proxy that speaks TLS before it")
        serve(create_app(desk, on_ready=ready), listener)
    app.out.note("sponsor ended")


@command(
    "status",
    result=SponsorStatus,
    examples=("flair sponsor status --wallet payer",),
)
def status(app: App) -> None:
    """Shows what the wallet in use has paid for today."""
    found = sponsor_status(app.context(signer=True))
    rows = [(one.wallet, sol_text(one.lamports)) for one in found.wallets]

    def text() -> str:
        head = fields(
            (
                ("sponsor", found.sponsor),
                ("holds", sol_text(found.lamports)),
                ("signed today", found.n_signed),
                ("for requests", f"at most {sol_text(found.request)}"),
                ("for joining", f"at most {sol_text(found.join)}"),
                ("for contributing", f"at most {sol_text(found.contribute)}"),
            )
        )
        return f"{head}\n\n{table(('WALLET', 'AT MOST'), rows)}" if rows else head

    app.out.result(found, text)


def _running_text(running: SponsorRunning) -> str:
    pairs: list[tuple[str, object]] = [
        ("url", running.url),
        ("sponsor", running.sponsor),
    ]
    pairs += [("pays for", repo) for repo in running.repos]
    return fields(pairs)


for _verb in (set_, run, status):
    sponsor_command.add_command(_verb)
