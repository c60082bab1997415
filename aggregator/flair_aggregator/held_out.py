"""Scores updates one by one on the owner's own rows. Whole models in memory.

What comes out is for the owner alone: merges and their reports follow from public
events, and nobody else has these rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flair_client.delta import read_delta_tensor
from flair_client.history.checked import CheckedCommit
from flair_client.ids import Cid, CommitId
from flair_client.objects import Delta
from flair_client.porcelain.checkout import training_recipe
from flair_client.store.base import Store
from flair_client.training.data import ColumnMap, Table, load_table
from flair_client.training.recipe import LOGISTIC_REGRESSION, TrainingRecipe
from flair_client.training.run import check_weights, evaluate
from flair_client.weights import load_tensor

METRIC: Final = "log_loss"
_Weights = Mapping[str, npt.NDArray[Any]]


@dataclass(slots=True)
class HeldOut:
    """Rows that no contributor has seen.

    Attributes:
        path: CSV or Parquet with the recipe's columns.
        column_map: how the file's columns give the recipe's.
    """

    store: Store
    path: Path
    column_map: ColumnMap | None = None
    _recipe: tuple[Cid, TrainingRecipe, Table] | None = None
    _base: tuple[CommitId, _Weights] | None = field(default=None, repr=False)

    def score(self, head: CheckedCommit, delta: Delta | None = None) -> float | None:
        """Gives the log-loss of the head, or of the head and one update alone.

        None where the recipe has no built-in model that could be evaluated.

        Args:
            head: verified.
            delta: of an update on this head; validated.

        Raises:
            DataError: the file cannot be used; names column or row.
            TensorMismatch: the model is not the recipe's.
        """
        found = self._read(head)
        if found is None:
            return None
        recipe, table = found
        weights = self._base_weights(recipe, head)
        if delta is not None:
            weights = {
                name: _moved(tensor, delta, name, self.store)
                for name, tensor in weights.items()
            }
        return evaluate(recipe, weights, table)[METRIC]

    def _read(self, head: CheckedCommit) -> tuple[TrainingRecipe, Table] | None:
        if head.recipe is None:
            return None
        if self._recipe is None or self._recipe[0] != head.recipe:
            recipe = training_recipe(self.store, head.recipe)
            if recipe.model != LOGISTIC_REGRESSION:
                return None
            table = load_table(
                self.path, recipe.columns, recipe.target, self.column_map
            )
            self._recipe = (head.recipe, recipe, table)
        return self._recipe[1:]

    def _base_weights(self, recipe: TrainingRecipe, head: CheckedCommit) -> _Weights:
        if self._base is None or self._base[0] != head.commit_id:
            manifest = head.manifest
            weights = {
                entry.name: load_tensor(manifest, entry, self.store)
                for entry in manifest.tensors
            }
            check_weights(recipe, weights)
            self._base = (head.commit_id, weights)
        return self._base[1]


def _moved(
    tensor: npt.NDArray[Any], delta: Delta, name: str, store: Store
) -> npt.NDArray[Any]:
    """The tensor after this update alone, at full weight."""
    if name not in delta.by_name():
        return tensor
    step = read_delta_tensor(delta, name, store) * np.float64(2.0**delta.scale_exp)
    return (tensor + step).astype(tensor.dtype)
