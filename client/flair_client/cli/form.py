"""`--light` and `--full`, and how much was fetched; shared by `clone` and `pull`."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from flair_client.cli.show import size_text
from flair_client.porcelain.form import Fetched

_F = TypeVar("_F", bound=Callable[..., Any])


def form_option(function: _F) -> _F:
    """`--light` and `--full`."""
    return click.option(
        "--light/--full",
        "light",
        default=None,
        help="Fetch frozen tensors with eight bits a value where the recipe allows it, "
        "or whole.",
    )(function)


def fetched_text(fetched: Fetched) -> str:
    """What was fetched, beside the whole model."""
    text = (
        f"fetched {size_text(fetched.n_bytes)} in {fetched.n_blocks} blocks; the whole "
        f"model has {size_text(fetched.model_bytes)}"
    )
    if fetched.is_light:
        text += "; frozen tensors are here with eight bits a value"
    return text
