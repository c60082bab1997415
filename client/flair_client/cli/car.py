"""`flair car`: a commit with its whole history in one file."""

from pathlib import Path

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields
from flair_client.cli.reading import open_reading
from flair_client.cli.session import App
from flair_client.porcelain.car import CarExported, CarImported, car_export, car_import
from flair_client.porcelain.kept_cars import CarsKept, keep_cars


@group(
    "car",
    examples=("flair car export main -o heart.car", "flair car import heart.car"),
)
def car_command() -> None:
    """Writes a commit with its history into one file, and reads it.

    A CAR holds every block: commits, weights, updates, recipes, events. With it a
    repository outlives every store; any IPFS tool reads it.
    """


@command(
    "export",
    result=CarExported,
    examples=(
        "flair car export",
        "flair car export main -o heart.car",
        "flair car export flair://devnet/9xQe…VkjF/heart@main -o heart.car",
    ),
)
@click.argument("ref", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; without it COMMIT.car in the current folder.",
)
@click.option("-f", "--force", is_flag=True, help="Replace a file that exists.")
def export(app: App, ref: str | None, *, output: Path | None, force: bool) -> None:
    """Writes a commit and everything behind it.

    REF is a branch, a tag, HEAD, the first digits of a commit, or one of them with ~N;
    without it HEAD. Outside a clone it is a repository's address. The same commit gives
    the same bytes everywhere.
    """
    reading, inner = open_reading(app, ref)
    made = car_export(reading, inner, output, replace=force)
    app.out.result(
        made,
        lambda: fields(
            (
                ("commit", made.commit),
                ("file", made.file),
                ("blocks", made.n_blocks),
                ("bytes", made.n_bytes),
            )
        ),
    )


@command(
    "import",
    result=CarImported,
    examples=("flair car import heart.car", "flair car import heart.car --store"),
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--store",
    "shared",
    is_flag=True,
    help="Into the network's store instead of the workspace's own blocks.",
)
def import_(app: App, file: Path, *, shared: bool) -> None:
    """Takes the blocks of a CAR, each checked.

    Every block must be what its name says, and belong to the commit that the file is
    of; signatures are checked. HEAD, branches and tags stay where they are. What was
    taken before it was cut off is not taken again.
    """
    is_here = not shared or app.settings.workspace is not None
    workspace = app.workspace() if is_here else None
    is_bound = workspace is not None and workspace.is_bound
    network = workspace.repo().network if workspace is not None and is_bound else None
    done = car_import(app.context(network=network), workspace, file, shared=shared)
    app.out.result(done, lambda: _import_text(done))
    if not shared:
        app.out.note(
            f"no name leads to it yet: `flair tag NAME {done.commit.short}` gives one"
        )


def _import_text(done: CarImported) -> str:
    return fields(
        (
            ("commit", done.commit),
            ("commits", done.n_commits),
            ("blocks", f"{done.n_blocks}, {done.n_bytes} bytes"),
            ("new", done.n_new),
            ("into", "the network's store" if done.shared else "this workspace"),
        )
    )


@command("keep", result=CarsKept, examples=("flair car keep",))
def keep(app: App) -> None:
    """Writes a CAR of every branch's head into .flair/cars.

    One file for each branch, written anew where its head moved since. With the setting
    car.keep every pull does this.
    """
    workspace = app.workspace()
    kept = keep_cars(app.context(network=workspace.repo().network), workspace)
    app.out.result(
        kept,
        lambda: fields(
            (
                *(("written", made.file) for made in kept.written),
                ("unchanged", kept.n_current),
            )
        ),
    )


for _verb in (export, import_, keep):
    car_command.add_command(_verb)
