"""`flair data`: names for data, kept on this machine alone."""

import json
from pathlib import Path

import click

from flair_client.cli.command import command, group
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.data_sources import Argument, DataSource, SourceKind, tidy_path
from flair_client.errors import UsageError
from flair_client.porcelain.checkout import workspace_recipe
from flair_client.porcelain.data import (
    DataChecked,
    DataListed,
    DataRemoved,
    DataShown,
    data_add,
    data_check,
    data_list,
    data_remove,
    data_show,
)
from flair_client.training.data import ColumnMap
from flair_client.training.recipe import TrainingRecipe, parse_recipe
from flair_client.workspace import RECIPE_FILE

_MAX_SHOWN = 40


@group("data", examples=("flair data add icu --csv icu.csv", "flair data list"))
def data_command() -> None:
    """Names the data that you train on; nothing of it is published."""


@command(
    "add",
    result=DataShown,
    examples=(
        "flair data add icu --csv icu.csv --map columns.toml",
        "flair data add scans --npz scans.npz",
        "flair data add ward --loader my_loader.py:make_dataset --read /data/ward",
    ),
)
@click.argument("name")
@click.option(
    "--csv",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A table in UTF-8 with a header line.",
)
@click.option(
    "--parquet",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A table as Parquet.",
)
@click.option(
    "--npz",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Arrays of NumPy, rows first.",
)
@click.option(
    "--loader",
    metavar="FILE:FUNCTION",
    help="A function of your own that gives arrays by name, batches, or a data set.",
)
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file that maps columns, words and missing values; it is copied.",
)
@click.option(
    "--kwarg",
    "arguments",
    multiple=True,
    metavar="KEY=VALUE",
    help="What the loader is called with; may be repeated.",
)
@click.option(
    "--read",
    "reads",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file or folder that the loader reads, besides its own folder.",
)
@click.option("--force", is_flag=True, help="Let the name mean this from now on.")
def add_command(
    app: App,
    name: str,
    *,
    csv: Path | None,
    parquet: Path | None,
    npz: Path | None,
    loader: str | None,
    map_file: Path | None,
    arguments: tuple[str, ...],
    reads: tuple[Path, ...],
    force: bool,
) -> None:
    """Gives a name to a file, or to a loader of your own.

    The name is kept in the user's folder, where only you can read it. It is never part
    of a workspace, a commit or a repository. Privacy loss is counted by it.
    """
    files = {
        SourceKind.CSV: csv,
        SourceKind.PARQUET: parquet,
        SourceKind.NPZ: npz,
    }
    given = [(kind, path) for kind, path in files.items() if path is not None]
    function = ""
    if loader is not None:
        text, _, function = loader.rpartition(":")
        if not text or not function:
            raise UsageError(f"{loader!r} is not FILE:FUNCTION")
        given.append((SourceKind.LOADER, Path(text)))
    if len(given) != 1:
        raise UsageError("one of --csv, --parquet, --npz and --loader is needed")
    kind, path = given[0]
    if kind is not SourceKind.LOADER and (arguments or reads):
        raise UsageError("--kwarg and --read belong to a loader")
    if map_file is not None and kind in {SourceKind.NPZ, SourceKind.LOADER}:
        raise UsageError("--map belongs to a table: --csv or --parquet")
    source = DataSource(
        name=name,
        kind=kind,
        path=tidy_path(path),
        function=function,
        arguments=dict(_argument(one) for one in arguments),
        reads=tuple(tidy_path(one) for one in reads),
        column_map=None if map_file is None else ColumnMap.load(map_file),
    )
    shown = data_add(app.settings.home, source, replace=force)
    app.out.result(shown, lambda: _text(shown))
    app.out.note("it stays on this machine; next: flair data check " + name)


@command("list", result=DataListed, examples=("flair data list",))
def list_command(app: App) -> None:
    """Lists the data that has a name here."""
    found = data_list(app.settings.home)
    rows = [
        (
            one.name,
            one.kind.value,
            one.path if one.function is None else f"{one.path}:{one.function}",
            "" if one.is_there else "not there",
        )
        for one in found.sources
    ]
    app.out.result(found, lambda: table(("NAME", "KIND", "WHERE", ""), rows))


@command("show", result=DataShown, examples=("flair data show icu",))
@click.argument("name")
def show_command(app: App, name: str) -> None:
    """Shows what a name stands for."""
    shown = data_show(app.settings.home, name)
    app.out.result(shown, lambda: _text(shown))


@command(
    "check",
    result=DataChecked,
    examples=(
        "flair data check icu",
        "flair data check icu.csv --recipe heart/flair.toml",
    ),
)
@click.argument("name", metavar="NAME|FILE")
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"A {RECIPE_FILE}; without it the workspace's.",
)
def check_command(app: App, name: str, *, recipe: Path | None) -> None:
    """Reads data as training would, and says whether the recipe can use it.

    Every row is read; a loader is called. Nothing is trained and nothing is kept.
    """
    checked = data_check(app.settings.home, app.site, _recipe(app, recipe), name)
    app.out.result(checked, lambda: _checked_text(checked))
    if checked.is_too_short:
        app.out.warn(
            f"{checked.num_rows} rows are too few to share statistics; the recipe asks "
            f"for {checked.min_rows_statistics}"
        )


@command("remove", result=DataRemoved, examples=("flair data remove icu",))
@click.argument("name")
def remove_command(app: App, name: str) -> None:
    """Forgets a name; the data itself is not touched.

    What was given away under the name stays counted, should it be given again.
    """
    removed = data_remove(app.settings.home, name)
    app.out.result(removed, f"{name} is forgotten; {removed.path} is as it was")


def _recipe(app: App, path: Path | None) -> TrainingRecipe:
    if path is None:
        return parse_recipe(workspace_recipe(app.workspace())[RECIPE_FILE])
    return parse_recipe(path.read_bytes())


def _argument(text: str) -> tuple[str, Argument]:
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise UsageError(f"{text!r} is not KEY=VALUE")
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    # What is no number, true or false is a text as it stands.
    return name.strip(), parsed if isinstance(parsed, bool | int | float) else value


def _text(shown: DataShown) -> str:
    where = f"{shown.path}:{shown.function}" if shown.function else str(shown.path)
    pairs = ", ".join(f"{name}={value}" for name, value in shown.arguments.items())
    columns = ", ".join(f"{name}={text}" for name, text in shown.columns.items())
    return fields(
        (
            ("name", shown.name),
            ("kind", shown.kind.value),
            ("where", where if shown.is_there else f"{where} (not there)"),
            ("called with", pairs or None),
            ("reads", ", ".join(str(one) for one in shown.reads) or None),
            ("columns", columns or None),
            ("updates with noise", shown.num_updates),
        )
    )


def _checked_text(checked: DataChecked) -> str:
    rows = [
        (
            one.name,
            one.dtype,
            " x ".join(str(size) for size in one.shape),
            "-" if one.low is None or one.high is None else f"{one.low:g}…{one.high:g}",
            one.n_missing,
            checked.n_clipped.get(one.name, 0),
        )
        for one in checked.arrays[:_MAX_SHOWN]
    ]
    heads = ("NAME", "DTYPE", "SHAPE", "VALUES", "MISSING", "OUT OF RANGE")
    lines = [f"{checked.source} fits the recipe: {checked.num_rows} rows", ""]
    lines.append(table(heads, rows))
    if len(checked.arrays) > _MAX_SHOWN:
        lines.append(f"and {len(checked.arrays) - _MAX_SHOWN} more")
    return "\n".join(lines)


for _verb in (add_command, list_command, show_command, check_command, remove_command):
    data_command.add_command(_verb)
