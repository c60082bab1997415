"""`flair simulate`: how strategies withstand attacks, on public data."""

from pathlib import Path

import click

from flair_client.cli.command import command
from flair_client.cli.output import table
from flair_client.cli.session import App
from flair_client.porcelain.simulate import (
    Cell,
    Setting,
    Simulated,
    breast_cancer,
    rows_from_csv,
    simulate,
)


@command(
    "simulate",
    result=Simulated,
    examples=(
        "flair simulate --attack sign_flip --attackers 3",
        "flair simulate --strategy krum --strategy fedavg --attack backdoor",
        "flair simulate --data rows.csv --target disease --json",
    ),
)
@click.option(
    "--attack",
    "attacks",
    multiple=True,
    metavar="NAME",
    help="none, sign_flip, scaling, little_is_enough, label_flip or backdoor; can be "
    "given several times, without it all.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="NAME",
    help="As in a policy; can be given several times, without it all.",
)
@click.option(
    "--contributors", type=int, default=10, metavar="N", help="2 to 64; 10 without it."
)
@click.option(
    "--attackers",
    type=int,
    default=2,
    metavar="N",
    help="How many of them are hostile; 2 without it.",
)
@click.option(
    "--rounds", type=int, default=10, metavar="N", help="Merges; 10 without it."
)
@click.option(
    "--norm-bound",
    type=float,
    metavar="X",
    help="Length that the policy allows an update; without it √(number of values).",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV with columns of numbers; without it the breast-cancer set of "
    "scikit-learn.",
)
@click.option("--target", metavar="COLUMN", help="Of the file: 0 or 1 in each row.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=1,
    metavar="N",
    help="Of the split and of training; 1 without it.",
)
def simulate_command(  # noqa: PLR0917 - one for each flag
    app: App,
    attacks: tuple[str, ...],
    strategies: tuple[str, ...],
    contributors: int,
    attackers: int,
    rounds: int,
    norm_bound: float | None,
    data: Path | None,
    target: str | None,
    seed: int,
) -> None:
    """Shows how well strategies withstand hostile contributors.

    Trains a logistic regression in rounds, in memory, on public data that is shared out
    among the contributors. Nothing is sent or written. Updates are clipped, rounded and
    merged by the code that real rounds use.
    """
    if (data is None) != (target is None):
        raise click.UsageError("--data and --target go together")
    rows = breast_cancer() if data is None else rows_from_csv(data, target or "")
    setting = Setting(
        n_contributors=contributors,
        n_hostile=attackers,
        rounds=rounds,
        norm_bound=norm_bound,
        seed=seed,
    )
    found = simulate(rows, setting, attacks=attacks, strategies=strategies)
    app.out.result(found, lambda: simulated_text(found))
    for reason in found.refused.values():
        app.out.note(reason)


def simulated_text(found: Simulated) -> str:
    """A table: a strategy a line, an attack a column."""
    attacks = list(dict.fromkeys(cell.attack for cell in found.cells))
    by_place = {(cell.strategy, cell.attack): cell for cell in found.cells}
    names = dict.fromkeys(cell.strategy for cell in found.cells)
    rows = [
        (name, *(_cell_text(by_place[name, attack]) for attack in attacks))
        for name in names
    ]
    setting = found.setting
    hostile = "is" if setting.n_hostile == 1 else "are"
    lines = [
        (
            f"accuracy on {found.n_test} rows of {found.data} after {setting.rounds} "
            f"rounds; {setting.n_hostile} of {setting.n_contributors} {hostile} hostile"
        ),
        table(("STRATEGY", *(attack.upper() for attack in attacks)), rows),
    ]
    if any(cell.backdoor is not None for cell in found.cells):
        lines.append("in brackets: rows of class 0 that the trigger turns into 1")
    return "\n".join(lines)


def _cell_text(cell: Cell) -> str:
    if cell.accuracy is None:
        return "-"
    text = f"{cell.accuracy:.3f}"
    return text if cell.backdoor is None else f"{text} ({cell.backdoor:.0%})"
