"""`flair privacy`: what data sources have given away."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.types import time_text
from flair_client.context import DEFAULT_MAX_EPSILON
from flair_client.porcelain.privacy import (
    SourceSpent,
    SourcesSpent,
    privacy_list,
    privacy_show,
)
from flair_client.porcelain.protection import Budget, budget_within


@group("privacy", examples=("flair privacy show icu", "flair privacy list"))
def privacy_command() -> None:
    """Shows what data sources have given away."""


@command(
    "show",
    result=SourceSpent,
    examples=("flair privacy show icu", "flair privacy show patients.csv"),
)
@click.argument("source", metavar="SOURCE")
def show_command(app: App, *, source: str) -> None:
    """Shows what a data source has given away, over all repositories.

    SOURCE is a name, or the file that was trained on. Only updates with noise are
    counted: what an update without noise tells is not bounded by anything.
    """
    found = privacy_show(app.settings.home, _budget(app), source)
    app.out.result(found, lambda: _text(found))


@command("list", result=SourcesSpent, examples=("flair privacy list",))
def list_command(app: App) -> None:
    """Lists the data sources that gave something away with noise."""
    found = privacy_list(app.settings.home, _budget(app))
    rows = [
        (
            one.source,
            f"{one.epsilon:.4g}",
            f"{one.max_epsilon:.4g}",
            len(one.updates),
        )
        for one in found.sources
    ]
    app.out.result(found, lambda: table(("SOURCE", "EPSILON", "OF", "UPDATES"), rows))


def _budget(app: App) -> Budget:
    # No network is needed, nor opened, to tell what was counted here.
    setting = app.settings.number("privacy.max_epsilon", DEFAULT_MAX_EPSILON)
    return budget_within(app.site, setting)


def _text(found: SourceSpent) -> str:
    head = fields(
        (
            ("source", found.source),
            ("epsilon", f"{found.epsilon:.4g} of {found.max_epsilon:.4g}"),
            ("delta", f"{found.delta:g}"),
            ("updates", len(found.updates)),
        )
    )
    rows = [
        (
            time_text(one.time),
            one.commit.short,
            f"{one.repo} {one.branch}, round {one.round_index}",
            f"{one.epsilon:.4g}",
        )
        for one in found.updates
    ]
    if not rows:
        return head
    return f"{head}\n\n{table(('WHEN', 'COMMIT', 'WHERE', 'EPSILON'), rows)}"


privacy_command.add_command(show_command)
privacy_command.add_command(list_command)
