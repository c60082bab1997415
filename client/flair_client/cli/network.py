"""`flair network`: shows and adds network profiles."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS, NETWORK_NAME
from flair_client.ids import Address
from flair_client.porcelain.network import (
    NetworkChange,
    NetworkList,
    network_add,
    network_list,
    network_show,
    network_use,
)
from flair_client.settings import NetworkProfile


@group("network", examples=("flair network list", "flair network use devnet"))
def network_command() -> None:
    """Shows and adds network profiles.

    A profile names an RPC, the cluster's genesis hash, the program and the store.
    `flair localnet` writes the profile `localnet`.
    """


@command("list", result=NetworkList, examples=("flair network list",))
def list_(app: App) -> None:
    """Lists the networks that have a profile; a star marks the one in use."""
    found = network_list(app.settings)
    rows = [
        ("*" if item.name == found.current else "", item.name, item.rpc_url)
        for item in found.networks
    ]
    app.out.result(found, lambda: table(("", "NAME", "RPC"), rows))


@command("show", result=NetworkProfile, examples=("flair network show devnet",))
@click.argument("name", required=False, type=NETWORK_NAME)
def show(app: App, name: str | None) -> None:
    """Shows a profile; without a name the one in use."""
    found = network_show(app.settings, name)
    app.out.result(
        found,
        lambda: fields(
            (
                ("name", found.name),
                ("rpc", found.rpc_url),
                ("other rpcs", ", ".join(found.more_rpc_urls) or None),
                ("genesis hash", found.genesis_hash or "not pinned"),
                ("program", found.program_id),
                ("store", found.store_url),
                ("priority, at most", f"{found.priority_cap} lamports"),
            )
        ),
    )


@command(
    "add",
    result=NetworkChange,
    examples=(
        "flair network add clinic --url https://rpc.example --store file:///srv/flair",
        "flair network add clinic -f --url https://a.example --rpc https://b.example",
    ),
)
@click.argument("name", type=NETWORK_NAME)
@click.option("--url", required=True, metavar="URL", help="The RPC.")
@click.option(
    "--rpc",
    "more_urls",
    multiple=True,
    metavar="URL",
    help="Another RPC, asked where the first is away; may be repeated.",
)
@click.option(
    "--priority-cap",
    type=click.IntRange(0, 10**9),
    metavar="LAMPORTS",
    help="The most that a transaction's priority may cost; 0 without it.",
)
@click.option(
    "--genesis-hash", metavar="HASH", help="Pins the cluster; without it any will do."
)
@click.option("--program-id", type=ADDRESS, metavar="ADDRESS", help="The program.")
@click.option("--store", "store_url", metavar="URL", help="Where blocks are kept.")
@click.option("-f", "--force", is_flag=True, help="Replace a profile of this name.")
def add(
    app: App,
    name: str,
    *,
    url: str,
    more_urls: tuple[str, ...],
    priority_cap: int | None,
    genesis_hash: str | None,
    program_id: Address | None,
    store_url: str | None,
    force: bool,
) -> None:
    """Writes a profile into your configuration."""
    change = network_add(
        app.settings,
        name,
        url=url,
        genesis_hash=genesis_hash,
        program_id=program_id,
        store_url=store_url,
        more_urls=more_urls,
        priority_cap=priority_cap,
        replace=force,
    )
    app.out.result(change)
    app.out.note(f"{change.path}: network {name!r}; `flair network use {name}`")


@command("use", result=NetworkChange, examples=("flair network use devnet",))
@click.argument("name", type=NETWORK_NAME)
def use(app: App, name: str) -> None:
    """Makes a network the one that commands use."""
    change = network_use(app.settings, name)
    app.out.result(change)
    app.out.note(f"commands use network {name!r} from now on")


for _verb in (list_, show, add, use):
    network_command.add_command(_verb)
