"""`flair store`: gives blocks to anybody and takes them from those with a role."""

from pathlib import Path

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.show import size_text
from flair_client.cli.types import Kind, parse_size
from flair_client.errors import UsageError
from flair_client.porcelain.store import (
    DEFAULT_PORT,
    StoreServing,
    StoreStatus,
    Terms,
    blocks_url,
    open_service,
    store_status,
)
from flair_client.serving import Certificate
from flair_client.store_server.rights import Standing

# Each request may hold one block, or a few pieces of 64 KiB.
_MOST_AT_ONCE = 64


@group(
    "store",
    examples=(
        "flair store serve --repo heart --certificate fullchain.pem --key key.pem",
        "flair store status",
    ),
)
def store_command() -> None:
    """Runs a store that others reach through one HTTPS port.

    It is a trustless gateway: anybody may read blocks by their CID, and checks them.
    Whoever has a role in the repository may upload, signed by the wallet.
    """


def parse_quota(text: str) -> tuple[Standing, int]:
    """Reads `contribute=2GiB`.

    Raises:
        ValueError: not a standing, an equals sign and a size.
    """
    name, _, size = text.partition("=")
    known = ", ".join(one.value for one in Standing)
    if name not in list(Standing):
        raise ValueError(f"{name!r} has no quota; these have: {known}")
    return Standing(name), parse_size(size)


@command(
    "serve",
    result=StoreServing,
    examples=(
        "flair store serve --repo heart --certificate fullchain.pem --key key.pem",
        (
            "flair store serve --repo 9xQe…VkjF/heart --behind-proxy"
            " --public-url https://store.example --quota contribute=2GiB"
        ),
    ),
)
@click.option(
    "--repo",
    "repos",
    multiple=True,
    metavar="REPO",
    help="A repository whose roles may upload; may be repeated.",
)
@click.option(
    "--any-repo",
    is_flag=True,
    help="Roles of every repository may upload; anybody can make one.",
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
    help="Port; 8893 without it, 0 takes a free one.",
)
@click.option(
    "--public-url",
    "public_urls",
    multiple=True,
    metavar="URL",
    help="What clients call it; may be repeated. Where it listens without it.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PEM file of the certificate and those that vouch for it.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PEM file of the certificate's private key.",
)
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="Speak plain HTTP: something in front of it speaks TLS.",
)
@click.option(
    "--blocks",
    "blocks",
    metavar="URL",
    help="Where to keep blocks, file:// or kubo://; the network's store without it.",
)
@click.option(
    "--quota",
    "quotas",
    multiple=True,
    type=Kind("role=size", parse_quota),
    metavar="ROLE=SIZE",
    help="Bytes of a day for each wallet: authority, administer, merge, contribute;"
    " open is for all wallets without a role together. May be repeated.",
)
def serve(
    app: App,
    *,
    repos: tuple[str, ...],
    any_repo: bool,
    host: str,
    port: int,
    public_urls: tuple[str, ...],
    certificate: Path | None,
    key: Path | None,
    behind_proxy: bool,
    blocks: str | None,
    quotas: tuple[tuple[Standing, int], ...],
) -> None:
    """Gives and takes blocks until it is stopped.

    Roles are read from the chain for each upload. Days are counted in UTC. Whoever has
    no role is refused, unless `--quota open=SIZE` lets those in whom a policy lets
    contribute without one.
    """
    if bool(repos) == any_repo:
        raise UsageError("name repositories with --repo, or say --any-repo")
    proof = _proof(certificate, key, behind_proxy=behind_proxy)
    addresses = tuple(app.repo_address(one).at(None) for one in repos)
    network = addresses[0].network if addresses else None
    ctx = app.context(network=network)
    # Other commands need no server.
    from flair_client.serving import listen, url_of
    from flair_client.serving import serve as answer
    from flair_client.store_server.app import create_app

    with listen(host, port) as listener:
        url = url_of(host, listener, scheme="http" if proof is None else "https")
        terms = Terms(addresses, public_urls or (url,), dict(quotas), blocks)
        service = open_service(ctx, terms)
        serving = StoreServing(
            url, terms.public_urls, blocks_url(ctx, terms), addresses
        )

        def ready() -> None:
            app.out.result(serving, lambda: _serving_text(serving), now=True)
            app.out.note("Ctrl-C ends it; uploads that were begun go on afterwards")

        answer(
            create_app(service, on_ready=ready),
            listener,
            certificate=proof,
            most_at_once=_MOST_AT_ONCE,
        )
    app.out.note("store server ended")


def _proof(
    certificate: Path | None, key: Path | None, *, behind_proxy: bool
) -> Certificate | None:
    if behind_proxy:
        if certificate is not None or key is not None:
            raise UsageError("--behind-proxy goes without --certificate and --key")
        return None
    if certificate is None or key is None:
        raise UsageError(
            "give --certificate and --key, or say --behind-proxy where something in "
            "front of it speaks TLS"
        )
    proof = Certificate(certificate, key)
    proof.check()
    return proof


@command("status", result=StoreStatus, examples=("flair store status",))
def status(app: App) -> None:
    """Shows what the server that is run from here has taken today."""
    found = store_status(app.context())
    rows = [
        (one.wallet, one.standing.value, one.n_uploads, size_text(one.n_bytes))
        for one in found.taken
    ]
    head = ("WALLET", "AS", "UPLOADS", "SENT")
    app.out.result(
        found, lambda: table(head, rows) if rows else "nothing was taken today"
    )


def _serving_text(serving: StoreServing) -> str:
    pairs: list[tuple[str, object]] = [("url", serving.url)]
    pairs += [("known as", url) for url in serving.public_urls]
    pairs += [("keeps blocks in", serving.blocks)]
    pairs += [("for", repo) for repo in serving.repos or ("every repository",)]
    return fields(pairs)


for _verb in (serve, status):
    store_command.add_command(_verb)
