"""`flair program`: sets up and shows the program on chain."""

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS
from flair_client.ids import Address
from flair_client.porcelain.program import (
    ProgramInitialised,
    ProgramShown,
    program_init,
    program_show,
)


@group("program", examples=("flair program show",))
def program_command() -> None:
    """Sets up and shows the program on chain."""


@command(
    "init",
    result=ProgramInitialised,
    examples=("flair program init --wallet upgrade-authority.json",),
)
@click.option(
    "--treasury",
    type=ADDRESS,
    metavar="ADDRESS",
    help="Where fees go; without it the wallet in use.",
)
@click.option(
    "--fee-bps",
    type=click.IntRange(0, 1000),
    default=0,
    metavar="N",
    help="Fee in hundredths of a percent: 0 to 1000; 0 without it.",
)
def init(app: App, *, treasury: Address | None, fee_bps: int) -> None:
    """Makes the program ready for repositories; once, by its upgrade authority."""
    ctx = app.context(signer=True)
    made = program_init(ctx, treasury=treasury, fee_bps=fee_bps)
    app.out.result(made, lambda: f"program {made.program_id} is set up, {made.config}")


@command("show", result=ProgramShown, examples=("flair program show",))
def show(app: App) -> None:
    """Shows the program's settings on chain."""
    found = program_show(app.context())

    def text() -> str:
        paused = ", ".join(
            str(item.name).lower()
            for item in type(found.paused)
            if item in found.paused
        )
        return fields(
            (
                ("program", found.program_id),
                ("config", found.config),
                ("admin", found.admin),
                ("treasury", found.treasury),
                ("fee", f"{found.fee_bps / 100:g} %"),
                ("paused", paused or "nothing"),
                ("made for", found.genesis_hash),
                ("events", found.event_seq),
            )
        )

    app.out.result(found, text)


for _verb in (init, show):
    program_command.add_command(_verb)
