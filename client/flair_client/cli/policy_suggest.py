"""`flair policy suggest`: proposes a policy from one local run."""

from pathlib import Path

import click
import tomlkit

from flair_client.cli.command import command
from flair_client.cli.options import code_options, training_options
from flair_client.cli.session import App
from flair_client.cli.text import printable
from flair_client.data_sources import find_source
from flair_client.errors import UsageError
from flair_client.porcelain.policy_code import CodeRun
from flair_client.porcelain.policy_fit import Proposal, RunFit
from flair_client.porcelain.policy_suggest import PolicySuggested, policy_suggest
from flair_client.site_rules import load_site_rules
from flair_client.training.data import ColumnMap


@command(
    "suggest",
    result=PolicySuggested,
    examples=(
        "flair policy suggest --data sample.csv --write",
        "flair policy suggest --update trained.pt",
        "flair policy suggest --headroom 4",
    ),
)
@click.option(
    "--data",
    metavar="NAME|FILE",
    help="Train once on this data source or file: the built-in model, or the recipe's "
    "own code.",
)
@click.option(
    "--update",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Look at these new weights instead (.safetensors, .npz, or a PyTorch state "
    "dict); without both at those of `flair train`.",
)
@training_options
@code_options
@click.option(
    "--headroom",
    type=click.FloatRange(1, 1024),
    default=2.0,
    show_default=True,
    metavar="X",
    help="How much larger the updates of others may be.",
)
@click.option("--write", is_flag=True, help="Put the fields into flair.toml.")
def suggest(
    app: App,
    *,
    data: str | None,
    update: Path | None,
    map_file: Path | None,
    seed: int | None,
    allow_one_class: bool,
    device: str,
    no_sandbox: bool,
    headroom: float,
    write: bool,
) -> None:
    """Proposes bits, unit and norm bound from one local run.

    Prints a [policy] table to paste, with what it would do to this run: how much of the
    update would be cut off, rounded to zero, or lost. Nothing leaves the machine and
    nothing that was trained is kept. Code that the recipe brings runs in a sandbox.
    """
    if data is not None and update is not None:
        raise UsageError("a run is of --data or of --update, not of both")
    made = policy_suggest(
        app.workspace(),
        data=None if data is None else find_source(app.settings.home, data),
        update=update,
        column_map=None if map_file is None else ColumnMap.load(map_file),
        seed=seed,
        allow_one_class=allow_one_class,
        code=CodeRun(device, not no_sandbox, (app.settings.home,), load_site_rules()),
        headroom=headroom,
        write=write,
        progress=app.progress,
    )
    app.out.result(made, lambda: _text(made))
    for column, count in made.n_outside.items():
        app.out.warn(
            f"{count} values of {printable(column)!r} are outside the recipe's range"
        )
    if made.written is not None:
        app.out.note(f"written into {made.written}")
    elif made.is_published:
        flags = " ".join(
            f"--{name.replace('_', '-')} {value}" for name, value in made.table.items()
        )
        app.out.note(
            f"the model is published: `flair policy create --like N {flags}` makes a "
            "policy of it, `flair policy use` the next round's"
        )


def _text(made: PolicySuggested) -> str:
    lines = [f"# from one run of {printable(made.source.name)}, {made.n_values} values"]
    lines += [_line(made.chosen, run) for run in made.chosen.runs]
    for other in made.others:
        lines += [_line(other, run) for run in other.runs]
    return "\n".join([*lines, tomlkit.dumps({"policy": made.table}).rstrip()])


def _line(proposal: Proposal, run: RunFit) -> str:
    return (
        f"# {proposal.bits} bits, {run.kind}: length {run.length:.3g} "
        f"({run.norm_by_bound:.0%} of the bound), {run.clipped_share:.2%} clipped, "
        f"{run.zero_share:.2%} rounded to zero, {run.error:.2%} lost"
    )
