"""`flair web`: serves the site."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flair_client.cli.command import command
from flair_client.cli.session import App
from flair_client.serving import listen, url_of
from flair_client.settings import NetworkProfile
from flair_indexer.db import open_database
from flair_indexer.schema import check_schema
from flair_indexer.settings import DATABASE_SETTING
from flair_web.settings import PREFIX, WebSettings, read_secret

_PORT = 8080


def _options(function: Any) -> Any:
    for option in (
        click.option(
            "--threads",
            type=click.IntRange(1, 64),
            default=4,
            metavar="N",
            envvar=f"{PREFIX}THREADS",
            help="Requests at once; 4 without it.",
        ),
        click.option(
            "--rate",
            default="600 per minute",
            metavar="TEXT",
            envvar=f"{PREFIX}RATE",
            help="Requests of one reader, as '600 per minute'; 'none' for no limit.",
        ),
        click.option(
            "--proxies",
            type=click.IntRange(0, 8),
            default=0,
            metavar="N",
            envvar=f"{PREFIX}PROXIES",
            help="Proxies in front whose X-Forwarded headers are believed; none "
            "without it.",
        ),
        click.option(
            "--secret-file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            envvar=f"{PREFIX}SECRET_FILE",
            help="At least 32 random bytes that cookies are signed with; without it "
            "everybody is signed out at a restart.",
        ),
        click.option(
            "--origin",
            metavar="URL",
            envvar=f"{PREFIX}ORIGIN",
            help="How readers reach the site, as https://models.example; where it "
            "listens without it.",
        ),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=_PORT,
            metavar="N",
            envvar=f"{PREFIX}PORT",
            help="Port; 8080 without it, 0 takes a free one.",
        ),
        click.option(
            "--host",
            default="127.0.0.1",
            metavar="HOST",
            envvar=f"{PREFIX}HOST",
            help="Address to listen at; this machine alone without it.",
        ),
        click.option(
            "--rpc",
            metavar="URL",
            envvar=f"{PREFIX}RPC",
            help="The cluster's RPC, which signing asks; the network's without it.",
        ),
        click.option(
            "--store",
            metavar="URL",
            envvar=f"{PREFIX}STORE",
            help="Where blocks are read; the network's store without it.",
        ),
        click.option(
            "--database",
            metavar="URL",
            envvar=f"{PREFIX}DATABASE",
            help="What 'flair indexer' writes; its own setting without it.",
        ),
    ):
        function = option(function)
    return function


@command(
    "web",
    examples=(
        "flair web",
        "flair web --network devnet --database postgresql://flair@db/flair",
        "flair web --proxies 1 --origin https://models.example --secret-file web.key",
    ),
)
@_options
def web(
    app: App, *, host: str, port: int, origin: str | None, threads: int, **given: Any
) -> None:
    """Serves the site: everything to see, signed in the reader's own wallet.

    It reads what `flair indexer` wrote and blocks of the store. It holds no key of
    anybody and signs nothing. Ctrl-C ends it.
    """
    from flair_web.app import create_app
    from flair_web.serving import serve

    profile = app.settings.profile()
    database = given.pop("database") or app.settings.text(DATABASE_SETTING)
    if database is None:
        folder = app.settings.home / "indexer"
        database = f"sqlite:///{(folder / profile.name).absolute()}.sqlite"
    opened = open_database(database)
    try:
        check_schema(opened)
        listener = listen(host, port)
        shown = url_of(host, listener)
        settings = web_settings(profile, database, origin or shown, **given)
        made = create_app(settings, database=opened)
        app.out.note(f"the site is at {shown}; Ctrl-C ends it")
        serve(made, listener, threads=threads)
    finally:
        opened.close()


def web_settings(
    profile: NetworkProfile,
    database: str,
    origin: str,
    *,
    store: str | None = None,
    rpc: str | None = None,
    secret_file: Path | None = None,
    proxies: int = 0,
    rate: str = "",
    **_others: Any,
) -> WebSettings:
    """Gives the settings that the options, and the network's profile, say."""
    made = WebSettings(
        database_url=database,
        store_url=store or profile.store_url,
        rpc_url=rpc or profile.rpc_url,
        network=profile.name,
        genesis_hash=profile.genesis_hash,
        program_id=profile.program_id,
        origin=origin,
        proxies=proxies,
        rate="" if rate == "none" else rate,
    )
    if secret_file is not None:
        made = replace(made, secret=read_secret(secret_file))
    return made
