"""`flair init`: makes a workspace for a new model."""

from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.session import App
from flair_client.errors import UsageError
from flair_client.porcelain.init import InitResult, init
from flair_client.workspace import RECIPE_FILE


@command(
    "init",
    result=InitResult,
    examples=(
        "flair init heart --columns-from sample.csv --target disease",
        "flair init heart --columns-from sample.csv --no-statistics",
        "flair init big --weights model.safetensors",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option(
    "--columns-from",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Declare every column of numbers of this file as an input, "
    "with a range around its values.",
)
@click.option(
    "--target",
    metavar="NAME",
    help="The column that is 0 or 1; target without it.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Begin with these weights (safetensors) instead of zeros.",
)
@click.option(
    "--no-statistics",
    is_flag=True,
    help="Collect no means and deviations in a round of their own.",
)
def init_command(
    app: App,
    folder: Path,
    *,
    columns_from: Path | None,
    target: str | None,
    weights: Path | None,
    no_statistics: bool,
) -> None:
    """Makes a workspace for a new model.

    Writes a recipe (flair.toml), a model card (CARD.md) and the first weights
    (weights.safetensors) into FOLDER, or the current one. What is there already stays
    as it is. Nothing leaves the machine; `flair repo create` publishes.
    """
    if columns_from is None and (target is not None or no_statistics):
        raise UsageError("--target and --no-statistics go with --columns-from")
    made = init(
        folder,
        columns_from=columns_from,
        target=target or "target",
        statistics=not no_statistics,
        weights=weights,
    )

    def text() -> str:
        if not made.created:
            return f"{made.folder} is a workspace already; nothing was changed"
        return f"made {', '.join(made.created)} in {made.folder}"

    app.out.result(made, text)
    if made.guessed_ranges:
        app.out.note(
            f"the ranges of {made.n_columns} columns in {RECIPE_FILE} were guessed "
            "from the file and will be public: look at them before you publish"
        )
