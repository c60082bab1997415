"""`flair localnet`: a chain of one's own on this machine."""

from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.config_file import write_config
from flair_client.errors import UsageError
from flair_client.localnet import Localnet, run_localnet
from flair_client.settings import LOCALNET


@command(
    "localnet",
    result=Localnet,
    examples=(
        "flair localnet",
        "flair localnet --port 9000 --data-dir ./chain",
        "flair localnet --reset --force",
        "flair localnet --allow-origin http://127.0.0.1:5000",
    ),
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the chain is kept; without it `localnet` in Flair's folder.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8899,
    metavar="N",
    help="Port on 127.0.0.1; 8899 without it, 0 takes a free one.",
)
@click.option("--reset", is_flag=True, help="Begin a new chain; the old one is lost.")
@click.option("-f", "--force", is_flag=True, help="Do not ask before --reset.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Answer web pages from there too; may be repeated. Without it none.",
)
def localnet_command(
    app: App,
    *,
    data_dir: Path | None,
    port: int,
    reset: bool,
    force: bool,
    origins: tuple[str, ...],
) -> None:
    """Runs a chain of one's own on this machine.

    It stays in the foreground until Ctrl-C and keeps everything that it confirmed, also
    when it is killed. The profile `localnet` is written into your configuration.
    """
    if force and not reset:
        raise UsageError("--force is for --reset")
    settings = app.settings
    asked = settings.values["core.network"]
    if asked.origin.startswith("flag") and asked.value != LOCALNET:
        raise UsageError(
            f"a localnet is the network {LOCALNET!r} and never {asked.value!r}"
        )
    folder = (data_dir or settings.home / "localnet").absolute()
    if reset:
        app.confirm(f"Delete the chain in {folder}?", flag="--force", given=force)
    store = (folder / "blocks").as_uri()
    chosen = settings.text(f"network.{LOCALNET}.store")
    # A node or a server is somebody's choice; a folder is what was written here before.
    if chosen is not None and not chosen.startswith("file:"):
        store = chosen

    def ready(found: Localnet) -> None:
        write_config(
            settings.user_config,
            {
                f"network.{LOCALNET}.url": found.url,
                f"network.{LOCALNET}.genesis_hash": found.genesis_hash,
                f"network.{LOCALNET}.store": store,
            },
        )
        app.out.result(
            found,
            lambda: fields(
                (
                    ("rpc", found.url),
                    ("genesis hash", found.genesis_hash),
                    ("chain", folder),
                    ("store", store),
                )
            ),
            now=True,
        )
        app.out.note(
            "next: flair wallet new, flair wallet airdrop 10, flair repo create NAME"
        )
        app.out.note("Ctrl-C ends it; nothing is lost")

    run_localnet(folder, port=port, reset=reset, origins=origins, on_ready=ready)
    app.out.note("localnet ended")
