"""`flair program`: deploys, sets up and shows the program on chain."""

from pathlib import Path

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields
from flair_client.cli.session import App
from flair_client.cli.types import ADDRESS
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.porcelain.program import (
    ProgramInitialised,
    ProgramShown,
    program_init,
    program_show,
)
from flair_client.porcelain.program_deploy import ProgramDeployed, program_deploy


@group("program", examples=("flair program show",))
def program_command() -> None:
    """Deploys, sets up and shows the program on chain."""


@command(
    "deploy",
    result=ProgramDeployed,
    examples=(
        "flair program deploy --shipped --dry-run",
        "flair program deploy --shipped --wallet upgrade-authority.json",
        "flair program deploy flair.so --program-key program.json",
    ),
)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--shipped", is_flag=True, help="The program that came with Flair.")
@click.option(
    "--program-key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The program's own key; for the first deployment alone.",
)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Only tell what it would do and cost."
)
def deploy(
    app: App,
    *,
    file: Path | None,
    shipped: bool,
    program_key: Path | None,
    dry_run: bool,
) -> None:
    """Deploys a program, or upgrades it, by the upgradeable loader.

    The wallet in use pays and is the upgrade authority. Run again after an interruption
    it sends only what is missing; at the end the code on chain is compared.
    """
    if shipped == (file is not None):
        raise UsageError("give a FILE or --shipped, one of them")
    from flair_client.chain.signer import load_wallet
    from flair_client.localnet.run import read_program

    key = None if program_key is None else load_wallet(program_key)
    ctx = app.context(signer=True)
    done = program_deploy(ctx, read_program(file), program_key=key, dry_run=dry_run)
    app.out.result(done, lambda: _deployed_text(done))


def _deployed_text(done: ProgramDeployed) -> str:
    if done.action == "nothing":
        said = "this code is there already; nothing was sent"
    elif done.is_dry_run:
        said = f"would {done.action}"
    else:
        said = f"{done.action} done, and the code on chain compared"
    return fields(
        (
            ("program", done.program_id),
            ("done", said),
            ("code", f"{done.size:,} bytes, sha-256 {done.digest}"),
            ("upgrade authority", done.authority),
            ("to send", f"{done.bytes_sent:,} bytes; {done.bytes_there:,} were there"),
            ("rent", f"{done.rent_lamports:,} lamports, held by the program"),
            ("on the way", f"{done.buffer_lamports:,} lamports, given back"),
            ("fees", f"about {done.fee_lamports:,} lamports"),
        )
    )


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
                (
                    "code",
                    f"{found.code_size:,} bytes, sha-256 {found.code_digest or '?'}",
                ),
                ("upgrade authority", found.upgrade_authority or "nobody"),
                ("deployed in slot", found.deployed_slot),
            )
        )

    app.out.result(found, text)


for _verb in (deploy, init, show):
    program_command.add_command(_verb)
