"""Training where the data lies: recipe, data, statistics, logistic regression."""

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
