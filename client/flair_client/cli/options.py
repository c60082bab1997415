"""Options that several commands share, so that they are named and explained alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from flair_client.cli.types import BRANCH_NAME, DURATION, NUMBER_BY_NAME

_F = TypeVar("_F", bound=Callable[..., Any])


def repo_option(function: _F) -> _F:
    """`--repo`: the repository, where the workspace's is not meant."""
    return click.option(
        "--repo",
        metavar="REPO",
        help="flair://… address, CREATOR/NAME, or NAME of your own; "
        "without it the workspace's.",
    )(function)


def branch_option(function: _F) -> _F:
    """`--branch`: the branch, where the workspace's is not meant."""
    return click.option(
        "--branch",
        type=BRANCH_NAME,
        metavar="NAME",
        help="Branch; without it the workspace's, or main.",
    )(function)


def round_option(function: _F) -> _F:
    """`--round`: an older round than the live one."""
    return click.option(
        "--round",
        "round_index",
        type=click.IntRange(min=0),
        metavar="N",
        help="Round; without it the live or the last one.",
    )(function)


_MAP_FILE: Final = click.option(
    "--map-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file that maps columns, words and missing values of --data.",
)
_MAP: Final = click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="COLUMN=FIELD",
    help="The recipe's COLUMN is called FIELD in the file; may be repeated.",
)


def map_option(function: _F) -> _F:
    """`--map` alone, beside options that have `--map-file` among them."""
    return _MAP(function)


def map_options(function: _F) -> _F:
    """`--map` and `--map-file`: what the columns of --data are called."""
    return _MAP(_MAP_FILE(function))


_TRAINING_OPTIONS: Final = (
    _MAP_FILE,
    click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        metavar="N",
        help="Of the order of the rows; without it the recipe's.",
    ),
    click.option(
        "--allow-one-class",
        is_flag=True,
        help="Train although the target is the same in all rows.",
    ),
)


def training_options(function: _F) -> _F:
    """How the built-in model is trained on a file."""
    for option in reversed(_TRAINING_OPTIONS):
        function = option(function)
    return function


_CODE_OPTIONS: Final = (
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        default="auto",
        help="Where the recipe's code trains; auto is the fastest that is there.",
    ),
    click.option(
        "--no-sandbox",
        is_flag=True,
        help="Run the recipe's code without a sandbox, as if it were your own.",
    ),
)


def code_options(function: _F) -> _F:
    """How code that a recipe brings is run."""
    for option in reversed(_CODE_OPTIONS):
        function = option(function)
    return function


# Name of the policy field, and its flag.
_POLICY_OPTIONS: Final = (
    click.option(
        "--min-updates", type=int, metavar="N", help="Updates a merge needs: 1 to 64."
    ),
    click.option(
        "--max-updates", type=int, metavar="N", help="Updates a round takes: 1 to 64."
    ),
    click.option(
        "--bits",
        type=click.Choice(["13", "16"]),
        help="Bits of one value of an update.",
    ),
    click.option(
        "--scale-exp",
        type=int,
        metavar="E",
        help="One step of an update is 2^E: -40 to 20.",
    ),
    click.option(
        "--norm-bound",
        type=float,
        metavar="X",
        help="Length that an update may have, in units of the weights; "
        "without it √(number of values).",
    ),
    click.option("--eta", type=float, metavar="X", help="Server learning rate."),
    click.option(
        "--round-length",
        type=DURATION,
        metavar="TIME",
        help="How long a round takes updates, as 30d, 12h or 90s.",
    ),
    click.option(
        "--merge-grace",
        type=DURATION,
        metavar="TIME",
        help="How long a closed round waits for its merge.",
    ),
    click.option(
        "--challenge",
        type=DURATION,
        metavar="TIME",
        help="How long a merge may be looked at before it counts.",
    ),
    click.option(
        "--approvals",
        type=click.IntRange(0, 1),
        metavar="N",
        help="1: the owner must approve each merge before it counts.",
    ),
    click.option(
        "--attestations",
        type=click.IntRange(0, 16),
        metavar="N",
        help="How many others must have made a merge again before it counts.",
    ),
    click.option(
        "--weight-cap",
        type=int,
        metavar="N",
        help="Most weight of one update: a power of two, 1 to 256.",
    ),
    click.option(
        "--invited/--open",
        "invited",
        default=None,
        help="Whether a contributor needs a role.",
    ),
    click.option(
        "--dp",
        type=click.Choice(["none", "required"]),
        help="Whether updates must carry noise for differential privacy.",
    ),
    click.option(
        "--deposit-lamports",
        type=int,
        metavar="N",
        help="Deposit of an update, given back when it is closed.",
    ),
    click.option(
        "--max-epochs",
        type=int,
        metavar="N",
        help="Most passes over the data in a round; 0: as the recipe says.",
    ),
    click.option(
        "--max-batch-size",
        type=int,
        metavar="N",
        help="Largest batch in training; 0: as the recipe says.",
    ),
    click.option(
        "--strategy",
        metavar="NAME",
        help="How updates are combined: fedavg, fedadam, median, krum …",
    ),
    click.option(
        "--strategy-param",
        "strategy_params",
        type=NUMBER_BY_NAME,
        multiple=True,
        metavar="NAME=X",
        help="A parameter of the strategy, as f=2; can be given several times.",
    ),
)


def policy_options(function: _F) -> _F:
    """The fields of a policy as flags."""
    for option in reversed(_POLICY_OPTIONS):
        function = option(function)
    return function


def policy_overrides(given: dict[str, Any]) -> dict[str, Any]:
    """Gives the fields of a policy that were set by flags."""
    fields = {key: value for key, value in given.items() if value is not None}
    if "bits" in fields:
        fields["bits"] = int(fields["bits"])
    if "invited" in fields:
        fields["contribute"] = "invited" if fields.pop("invited") else "open"
    params = dict(fields.pop("strategy_params", ()))
    return fields | ({"strategy_params": params} if params else {})
