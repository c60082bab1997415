"""`flair config`: reads and changes settings."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.exits import NEGATIVE
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.porcelain.config import (
    ConfigChange,
    ConfigEntry,
    ConfigList,
    config_get,
    config_list,
    config_path,
    config_set,
    config_unset,
)


@group("config", examples=("flair config list --show-origin",))
def config_command() -> None:
    """Reads and changes settings.

    The first of these wins: /etc/flair/site.toml, a flag, the environment,
    .flair/config.local, .flair/config, your config.toml, /etc/flair/config.toml.
    """


_in_workspace = click.option(
    "--workspace", is_flag=True, help="In the workspace's file instead of your own."
)
_locally = click.option(
    "--local", is_flag=True, help="In the workspace's config.local, which stays here."
)


@command(
    "list",
    result=ConfigList,
    examples=("flair config list", "flair config list --show-origin"),
)
@click.option("--show-origin", is_flag=True, help="Also show where each comes from.")
def list_(app: App, *, show_origin: bool) -> None:
    """Lists every setting that holds here."""
    found = config_list(app.settings)

    def text() -> str:
        if not show_origin:
            return "\n".join(
                f"{item.name}={value_text(item.value)}" for item in found.entries
            )
        rows = [
            (item.name, value_text(item.value), item.origin) for item in found.entries
        ]
        return table(("SETTING", "VALUE", "ORIGIN"), rows)

    app.out.result(found, text)


@command("get", result=ConfigEntry, examples=("flair config get core.network",))
@click.argument("name")
@click.option("--show-origin", is_flag=True, help="Also show where it comes from.")
def get(app: App, name: str, *, show_origin: bool) -> None:
    """Prints one setting; exit code 1 where it is not set."""
    found = config_get(app.settings, name)
    if found.origin is None:
        app.out.result(found, exit_code=NEGATIVE, message=f"{name} is not set")
        return
    origin = f"\t{found.origin}" if show_origin else ""
    app.out.result(found, lambda: f"{value_text(found.value)}{origin}")


@command(
    "set",
    result=ConfigChange,
    examples=(
        "flair config set core.wallet hospital-a",
        "flair config set network.devnet.store file:///srv/flair/blocks",
    ),
)
@click.argument("name")
@click.argument("value")
@_in_workspace
@_locally
def set_(app: App, name: str, value: str, *, workspace: bool, local: bool) -> None:
    """Writes a setting into your configuration, or the workspace's."""
    path = config_path(app.settings, workspace=workspace, local=local)
    _tell(app, config_set(app.settings, name, value, path))


@command("unset", result=ConfigChange, examples=("flair config unset core.wallet",))
@click.argument("name")
@_in_workspace
@_locally
def unset(app: App, name: str, *, workspace: bool, local: bool) -> None:
    """Takes a setting out of your configuration, or the workspace's."""
    path = config_path(app.settings, workspace=workspace, local=local)
    _tell(app, config_unset(app.settings, name, path))


def _tell(app: App, change: ConfigChange) -> None:
    if change.overruled_by is not None:
        app.out.warn(f"{change.name} comes from {change.overruled_by}, which wins")
    app.out.result(change)
    app.out.note(f"{change.path}: {change.name}={value_text(change.value)}")


def value_text(value: object) -> str:
    """Shows a setting's value as it is typed."""
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


for _verb in (list_, get, set_, unset):
    config_command.add_command(_verb)
