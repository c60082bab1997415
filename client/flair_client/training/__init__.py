"""Training where the data lies: recipe, data, statistics, logistic regression.

The package can be called: `with flair_client.training() as t:` is the door around a
program of one's own, which `flair_client.script_door` holds.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from flair_client.training.recipe import (
    Column,
    TrainingRecipe,
    parse_recipe,
    recipe_text,
)
from flair_client.training.run import RoundKind, TrainResult, train

__all__ = [
    "Column",
    "RoundKind",
    "TrainResult",
    "TrainingRecipe",
    "parse_recipe",
    "recipe_text",
    "train",
]


class _CallablePackage(ModuleType):
    """The package under the name that the door has too."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        # By name: the door stands above this package in the layers.
        door = import_module("flair_client.script_door")
        return door.training(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
