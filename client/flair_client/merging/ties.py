"""TIES: trim each change, elect a sign for each value, mean of those that agree.

1. trim: of `tau_i = x_i - base` the `k = max(1, floor(density * n))` values of largest
   magnitude stay, of equal ones those that come first; the others become 0;
2. elect: the sign of `sum(w_i * tau_i)`, plus where that is zero;
3. disjoint mean: `x = base + lambda * sum(w_i * tau_i) / sum(w_i)`, over those i whose
   `w_i * tau_i` has that sign (without `normalize` only the sum).

Yadav et al. 2023, "TIES-merging", arXiv:2306.01708; mergekit's `ties`, whose trimming
leaves open which of equal magnitudes stay.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from flair_client.arithmetic import FloatArray
from flair_client.merging.base import (
    DENSITY,
    LAMBDA,
    MAX_MODELS,
    UNIT,
    Param,
    PartFunction,
    TensorInput,
    TensorStream,
    flag,
)
from flair_client.merging.mixing import task_vectors


class Ties:
    """Trim, elect sign, disjoint mean."""

    id = "ties"
    title = "largest changes of each model, mean of those of the elected sign"
    params: tuple[Param, ...] = (DENSITY, LAMBDA, flag("normalize", default=True))
    weight_param: Param | None = None
    takes_base = True
    min_models = 1
    max_models = MAX_MODELS

    def check(self, params: Mapping[str, int], weights: Sequence[int]) -> str | None:  # noqa: ARG002 - protocol
        """Weights that add up to zero over those that agree are divided by nothing."""
        return None

    def keeps_equal(self, params: Mapping[str, int]) -> bool:  # noqa: ARG002 - protocol
        """No change is trimmed to none."""
        return True

    def plan(self, tensor: TensorInput) -> PartFunction:
        """As `MergeMethod.plan`; reads each model once, one after the other."""
        n_kept = max(1, tensor.params["density_e9"] * tensor.n_values // UNIT)
        if tensor.base is None or n_kept >= tensor.n_values:
            return task_vectors(tensor, None, elect=True)
        trims = [
            _trim_for(model, tensor.base, tensor.n_values, n_kept)
            for model in tensor.models
        ]
        return task_vectors(tensor, [trim.apply for trim in trims], elect=True)


def _trim_for(
    model: TensorStream, base: TensorStream, n_values: int, n_kept: int
) -> "Trim":
    magnitudes = np.empty(n_values)
    at = 0
    for theirs, ours in zip(model.parts(), base.parts(), strict=True):
        np.abs(theirs - ours, out=magnitudes[at : at + theirs.size])
        at += theirs.size
    magnitudes.partition(n_values - n_kept)
    threshold = float(magnitudes[n_values - n_kept])
    n_above = int(np.count_nonzero(magnitudes > threshold))
    return Trim(threshold, n_kept - n_above)


class Trim:
    """Keeps what is above a threshold, and the first few that are equal to it."""

    def __init__(self, threshold: float, n_equal: int) -> None:
        """Before the first part."""
        self._threshold = threshold
        self._n_equal = n_equal

    def apply(self, change: FloatArray) -> FloatArray:
        """The next part, trimmed."""
        magnitude = np.abs(change)
        kept = magnitude > self._threshold
        equal = magnitude == self._threshold
        n_here = int(np.count_nonzero(equal))
        if n_here > self._n_equal:
            equal &= np.cumsum(equal) <= self._n_equal
        self._n_equal -= min(n_here, self._n_equal)
        return np.where(kept | equal, change, 0.0)
