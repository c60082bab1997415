"""`flair init`: makes a workspace for a new model."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.errors import UsageError
from flair_client.objects import Role
from flair_client.porcelain.init import InitResult, init
from flair_client.porcelain.init_model import ModelSource, init_model
from flair_client.weights.proposals import RoleProposal
from flair_client.workspace import RECIPE_FILE

# More than fit on a screen are counted, not listed; --json has all of them.
_MAX_ROWS = 40
_MAX_NAME_COLUMNS = 56
_WHAT = {
    "flair.toml": "settings, columns with their ranges, roles of tensors",
    "CARD.md": "what the model is for",
    "model.py": "code: the model's class",
    "train.py": "code: how it is trained",
    "weights.safetensors": "the first weights",
}


@command(
    "init",
    result=InitResult,
    examples=(
        "flair init heart --columns-from sample.csv --target disease",
        "flair init heart --columns-from sample.csv --no-statistics",
        "flair init digits --torch digits_net:Net --inputs-from sample.npz",
        "flair init digits --torch digits_net:Net --weights digits.pt",
        "flair init ward --sklearn my_models:risk --columns-from sample.csv",
        "flair init big --weights model.safetensors",
        "flair init old --npz weights.npz",
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
    "--inputs-from",
    type=click.Path(path_type=Path),
    metavar="NPZ",
    help="Declare every array of this file as an input, with its dtype and shape.",
)
@click.option(
    "--target",
    metavar="NAME",
    help="The column that is 0 or 1, or the array that is predicted; target without "
    "it, or y among arrays.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Begin with these weights: .safetensors, .npz, or a PyTorch state dict.",
)
@click.option(
    "--npz",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The same as --weights, for NumPy's files.",
)
@click.option(
    "--torch",
    metavar="MODULE:NAME",
    help="A PyTorch network of your own: its class, or a function that makes it. "
    "The module is imported.",
)
@click.option(
    "--sklearn",
    metavar="MODULE:NAME",
    help="A linear model of scikit-learn of your own. The module is imported.",
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
    inputs_from: Path | None,
    target: str | None,
    weights: Path | None,
    npz: Path | None,
    torch: str | None,
    sklearn: str | None,
    no_statistics: bool,
) -> None:
    """Makes a workspace for a new model.

    Writes a recipe (flair.toml), a model card (CARD.md) and the first weights
    (weights.safetensors) into FOLDER, or the current one. What is there already stays
    as it is. Nothing leaves the machine; `flair repo create` publishes.

    --torch copies your module into the recipe as model.py, with a train.py that is
    ready to be edited; whoever takes part reads them before they run.

    With --torch, --sklearn or weights alone, every tensor gets a role, which is shown:
    train, average, local (stays with each contributor) or frozen. Nothing is unpickled:
    of PyTorch's files only state dicts are read.
    """
    _check_flags(columns_from, inputs_from, target, no_statistics=no_statistics)
    if npz is not None and weights is not None:
        raise UsageError("--npz and --weights are the same; give one of them")
    source = ModelSource(weights or npz, torch, sklearn)
    if source.code is not None or (columns_from is None and source.weights is not None):
        if no_statistics:
            raise UsageError("--no-statistics goes with the built-in model alone")
        made = init_model(
            folder,
            source,
            code_folder=Path.cwd(),
            columns_from=columns_from,
            inputs_from=inputs_from,
            target=target,
            tell=lambda name: app.out.note(
                f"importing {name}: this runs your own code, outside of any sandbox"
            ),
        )
    else:
        if inputs_from is not None:
            raise UsageError("--inputs-from goes with a model of your own")
        made = init(
            folder,
            columns_from=columns_from,
            target=target or "target",
            statistics=not no_statistics,
            weights=source.weights,
        )
    app.out.result(made, lambda: _text(made))
    if made.guessed_ranges:
        app.out.note(
            f"the ranges of {made.n_columns} columns in {RECIPE_FILE} were guessed "
            "from the file and will be public: look at them before you publish"
        )
    if made.code_left_out is not None:
        app.out.note(
            f"no model.py was made, since {made.code_left_out}; write model.py and "
            "train.py, or contributors train with a program of their own"
        )
    if any(one.role is Role.LOCAL for one in made.tensors):
        app.out.note(
            "local tensors stay with each contributor; what others get keeps their "
            f"first values. [tensors] in {RECIPE_FILE} changes roles"
        )


def _check_flags(
    columns_from: Path | None,
    inputs_from: Path | None,
    target: str | None,
    *,
    no_statistics: bool,
) -> None:
    if columns_from is not None and inputs_from is not None:
        raise UsageError("--columns-from and --inputs-from exclude each other")
    needs_columns = no_statistics or (target is not None and inputs_from is None)
    if columns_from is None and needs_columns:
        raise UsageError(
            "--target and --no-statistics go with --columns-from, --target with "
            "--inputs-from, too"
        )


def _text(made: InitResult) -> str:
    if not made.created:
        lines = [f"{made.folder} is a workspace already; nothing was changed"]
    else:
        lines = [f"made {', '.join(made.created)} in {made.folder}"]
    rows = [
        (one.name, f"{one.n_bytes:,}", _WHAT.get(one.name, ""))
        for one in made.published
    ]
    lines += ["", table(("PUBLISHED BY repo create", "BYTES", "WHAT"), rows)]
    lines.append("nothing else of this folder is published, and no data")
    if made.tensors:
        lines += ["", *_roles(made.tensors)]
    return "\n".join(lines)


def _roles(tensors: Sequence[RoleProposal]) -> list[str]:
    counts = Counter(one.role for one in tensors)
    values = Counter[Role]()
    for one in tensors:
        values[one.role] += one.n_values
    lines = []
    if len(tensors) <= _MAX_ROWS:
        rows = [
            (
                printable(one.name, _MAX_NAME_COLUMNS),
                one.dtype,
                "x".join(map(str, one.shape)) or "scalar",
                one.role,
                one.reason + _tied(one),
            )
            for one in tensors
        ]
        lines.append(table(("TENSOR", "DTYPE", "SHAPE", "ROLE", "WHY"), rows))
    summary = [
        f"{role}: {counts[role]} with {values[role]:,} values"
        for role in Role
        if counts[role]
    ]
    return [*lines, f"{len(tensors)} tensors; {'; '.join(summary)}"]


def _tied(one: RoleProposal) -> str:
    if not one.tied:
        return ""
    names = ", ".join(printable(name, _MAX_NAME_COLUMNS) for name in one.tied)
    return f"; also {names}, stored once"
