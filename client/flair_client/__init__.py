"""Flair: one shared model, many sites, data that never moves.

The public names for programs of one's own; docs/sdk.md shows them at work. They are
imported when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flair_client.script_door import training
    from flair_client.sdk import Repo, load, open_repo
    from flair_client.weights.sklearn_model import fill_sklearn

__all__ = ["Repo", "fill_sklearn", "load", "open_repo", "training"]

_MODULES = {
    "Repo": "flair_client.sdk",
    "fill_sklearn": "flair_client.weights.sklearn_model",
    "load": "flair_client.sdk",
    "open_repo": "flair_client.sdk",
}


def __getattr__(name: str) -> Any:
    if name == "training":
        # A package that can be called: the door, and the modules behind it.
        return import_module("flair_client.training")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
