"""Measures states of a model on one data source; used by verbs, no verb itself.

Nothing is written and nothing leaves: what comes out is for whoever asked.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from flair_client.context import Context
from flair_client.data_sources import DataSource
from flair_client.encoding import weights_digest
from flair_client.errors import TrustRequired
from flair_client.ids import Cid, CommitId
from flair_client.objects import Manifest
from flair_client.porcelain.checkout import training_recipe
from flair_client.porcelain.recipe_train import measure_by_code
from flair_client.porcelain.trained import given_at
from flair_client.store.base import Store
from flair_client.training.data import Table
from flair_client.training.reading import read_plain_table
from flair_client.training.recipe import LOGISTIC_REGRESSION, TrainingRecipe
from flair_client.training.run import check_weights
from flair_client.training.run import evaluate as measure
from flair_client.weights import load_tensor
from flair_client.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Score:
    """What a state does on a data source.

    Attributes:
        num_samples: rows that it was measured on.
        metrics: finite ones; empty where nothing can measure the model.
    """

    num_samples: int
    metrics: Mapping[str, float]


def is_measurable(recipe: TrainingRecipe) -> bool:
    """Whether models of a recipe can be measured, by Flair or by the recipe's code."""
    if recipe.has_code:
        return bool(recipe.evaluation)
    return recipe.model == LOGISTIC_REGRESSION


@dataclass(slots=True)
class Scorer:
    """Measures states one after another; the data is read once.

    Attributes:
        workspace: where a recipe's code was accepted, locked by the caller; without one
            only built-in models are measured.
        device: as for `flair train`.
        sandbox: likewise.
    """

    ctx: Context
    source: DataSource
    workspace: Workspace | None = None
    device: str = "auto"
    sandbox: bool = True
    _recipes: dict[Cid, TrainingRecipe] = field(default_factory=dict)
    _tables: dict[Cid, Table] = field(default_factory=dict)

    def score(
        self, store: Store, manifest: Manifest, recipe: Cid, base: CommitId
    ) -> Score:
        """Measures a state.

        Args:
            store: where its blocks and the recipe's lie.
            manifest: of the state.
            recipe: in force for it.
            base: the commit whose state it is, or that it was made from.

        Raises:
            DataError: the data cannot be used.
            TensorMismatch: the model is not the recipe's.
            TrustRequired, SiteRefused, RequirementsMissing, NoSandbox, RecipeFailed:
                as for `flair train`, where the recipe's code measures.
        """
        said = self._recipe(store, recipe)
        if not is_measurable(said):
            return Score(0, {})
        if not said.has_code:
            return self._by_flair(store, manifest, recipe, said)
        if self.workspace is None:
            raise TrustRequired(
                "the recipe's own code measures this model, and it was accepted nowhere"
            )
        given = given_at(self.ctx, self.workspace, store, manifest, recipe, base)
        num_samples, metrics = measure_by_code(
            self.ctx,
            self.workspace,
            given,
            self.source,
            device=self.device,
            sandbox=self.sandbox,
        )
        return Score(num_samples, metrics)

    def key(self, manifest: Manifest, recipe: Cid) -> str:
        """What a score depends on, as hexadecimal: state, recipe, rows, device.

        Raises:
            DataUnreadable: a file of the source is not there.
        """
        parts = (
            str(weights_digest(manifest)),
            recipe.digest.hex(),
            self.source.absolute().fingerprint,
            self.device,
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _recipe(self, store: Store, recipe: Cid) -> TrainingRecipe:
        if recipe not in self._recipes:
            self._recipes[recipe] = training_recipe(store, recipe)
        return self._recipes[recipe]

    def _by_flair(
        self, store: Store, manifest: Manifest, recipe: Cid, said: TrainingRecipe
    ) -> Score:
        weights: dict[str, npt.NDArray[Any]] = {
            entry.name: load_tensor(manifest, entry, store)
            for entry in manifest.tensors
        }
        check_weights(said, weights)
        if recipe not in self._tables:
            self._tables[recipe] = read_plain_table(self.source.plain(), said)
        table = self._tables[recipe]
        # Weights that ran off to infinity give metrics that are left out.
        with np.errstate(over="ignore", invalid="ignore"):
            return Score(table.y.size, measure(said, weights, table))
