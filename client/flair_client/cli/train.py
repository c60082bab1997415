"""`flair train`: trains on local data."""

from collections.abc import Sequence
from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.options import code_options, map_option, training_options
from flair_client.cli.output import fields, table
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.data_sources import DataSource, as_source, find_source
from flair_client.errors import UsageError
from flair_client.porcelain.train import Trained, train
from flair_client.training.data import ColumnMap
from flair_client.training.run import RoundKind


@command(
    "train",
    result=Trained,
    examples=(
        "flair train --data icu",
        "flair train --data patients.csv",
        "flair train --data patients.parquet --map age=AGE_YEARS --map target=died",
        "flair train --data patients.csv --map-file columns.toml --seed 7",
        "flair train --data scans.npz --device cuda",
    ),
)
@click.option(
    "--data",
    metavar="NAME|FILE",
    help="A data source, or a CSV, Parquet or .npz file; without it the setting "
    "train.data.",
)
@map_option
@training_options
@code_options
def train_command(
    app: App,
    *,
    data: str | None,
    pairs: tuple[str, ...],
    map_file: Path | None,
    seed: int | None,
    allow_one_class: bool,
    device: str,
    no_sandbox: bool,
) -> None:
    """Trains on local data; nothing leaves the machine.

    In round 0 of a recipe with statistics the means and deviations are taken instead.
    Code that the recipe brings runs in a sandbox: no network, your data read-only, one
    folder to write to, limits of time and memory. Cut off, the command goes on where it
    was, given the same data, seed and device.
    """
    workspace = app.workspace()
    source = data_source(app, workspace.folder, data)
    trained = train(
        app.context(signer=None, network=workspace.repo().network),
        workspace,
        source,
        column_map=map_for(app, workspace.folder, source, pairs, map_file),
        seed=seed,
        allow_one_class=allow_one_class,
        device=device,
        sandbox=not no_sandbox,
    )
    app.out.result(trained, lambda: _text(trained))
    for column, count in trained.n_clipped.items():
        app.out.warn(f"{count} values of {column!r} are outside the recipe's range")
    for name in trained.metrics_kept:
        app.out.warn(
            f"metric {printable(name)} stays here: the recipe does not list it, or it "
            "is no finite number"
        )
    for text in trained.other_versions:
        app.out.warn(f"the recipe pins {printable(text)}")
    if trained.sandboxed is False:
        app.out.warn("the recipe's code ran without a sandbox")
    if trained.noisy_steps is not None:
        n_steps = trained.noisy_steps.steps
        app.out.note(
            f"by its own word the code trained with noise, in {n_steps} steps; "
            "flair commit counts what they give away"
        )
    app.out.note("nothing has left this machine; next: flair commit -m MESSAGE")


def data_source(app: App, folder: Path, text: str | None) -> DataSource:
    """Gives the data source that a flag names, or else the setting `train.data`.

    Raises:
        UsageError: neither does.
        DataSourceMissing: there is neither such a source nor such a file.
    """
    home = app.settings.home
    if text is not None:
        return find_source(home, text)
    text = app.settings.text("train.data")
    if text is None:
        raise UsageError("no data is named: --data, or the setting train.data")
    path = folder / Path(text).expanduser()
    return as_source(home, path) if path.is_file() else find_source(home, text)


def map_for(
    app: App,
    folder: Path,
    source: DataSource,
    pairs: Sequence[str],
    path: Path | None,
) -> ColumnMap | None:
    """The map that is asked for; None where the source's own, or none, will do."""
    if source.name is None:
        # What is set is meant for files; a named source has its map.
        pairs = pairs or _configured_pairs(app)
        path = path or _configured(app, folder, "train.map_file")
    return column_map_of(pairs, path, source.column_map)


def _configured(app: App, folder: Path, name: str) -> Path | None:
    # Written down once for the workspace: relative to it, wherever one stands in it.
    text = app.settings.text(name)
    return None if text is None else folder / Path(text).expanduser()


def _configured_pairs(app: App) -> Sequence[str]:
    value = app.settings.get("train.map")
    return value if isinstance(value, tuple) else ()


def column_map_of(
    pairs: Sequence[str], path: Path | None, base: ColumnMap | None = None
) -> ColumnMap | None:
    """Gives the map of a file, or the one there is, with COLUMN=FIELD pairs in it.

    Raises:
        UsageError: a pair is none.
        DataError: the file is no map.
    """
    if not pairs and path is None:
        return None
    columns = {}
    for pair in pairs:
        name, equals, field = (part.strip() for part in pair.partition("="))
        if not name or not equals or not field:
            raise UsageError(f"{pair!r} is not COLUMN=FIELD")
        columns[name] = field
    loaded = (base or ColumnMap()) if path is None else ColumnMap.load(path)
    return loaded.with_columns(columns)


def _text(trained: Trained) -> str:
    is_statistics = trained.kind is RoundKind.STATISTICS
    what = "statistics of the data" if is_statistics else "training"
    clipped = ", clipped to 1" if trained.length > 1 else ""
    head = fields(
        (
            ("round", f"{trained.round_index} of {trained.branch}: {what}"),
            ("base", trained.base.short),
            (
                "samples",
                f"{trained.num_samples}; a push tells {trained.samples_bucket}",
            ),
            ("taken up again", "yes" if trained.resumed else None),
            ("epochs", None if is_statistics else trained.epochs),
            ("norm by bound", f"{trained.length:.3g}{clipped}"),
            ("written", trained.file),
        )
    )
    lines = [head]
    if trained.metrics:
        rows = [
            (name, _number(trained.metrics_before.get(name)), _number(value))
            for name, value in sorted(trained.metrics.items())
        ]
        lines += ["", table(("ON THE TRAINING ROWS", "BEFORE", "AFTER"), rows)]
    lines += ["", "a push would send:"]
    sent = (*trained.sent_tensors, *trained.sent_fields)
    lines += [f"  {printable(name)}" for name in sent]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
