"""DARE: drop values of each change at random and scale the rest up, then merge.

`tau_i = mask_i * (x_i - base) / density`, where a mask keeps each value with the
probability `density` (without `rescale` nothing is divided). Masks: see `masks`.

Yu et al. 2024, "Language models are super Mario", arXiv:2311.03099; mergekit's
`dare_linear` and `dare_ties`.
"""

from collections.abc import Sequence

import numpy as np

from flair_client.arithmetic import FloatArray
from flair_client.ids import CommitId
from flair_client.merging.base import (
    DENSITY,
    LAMBDA,
    SEED,
    UNIT,
    TensorInput,
    as_float,
    flag,
)
from flair_client.merging.masks import Mask
from flair_client.merging.mixing import Sparsify

DARE_PARAMS = (
    *(DENSITY, SEED, LAMBDA),
    flag("normalize", default=False),
    flag("rescale", default=True),
)


def drops(tensor: TensorInput) -> Sequence[Sparsify] | None:
    """What drops values of each model's change; None where all are kept."""
    if tensor.params["density_e9"] == UNIT:
        return None
    return [_drop(tensor, model.model) for model in tensor.models]


def _drop(tensor: TensorInput, model: CommitId) -> Sparsify:
    density = tensor.params["density_e9"]
    mask = Mask(tensor.params["seed"], model, tensor.name, density)
    divisor = as_float(density) if tensor.params["rescale"] else 1.0

    def drop(change: FloatArray) -> FloatArray:
        return np.where(mask.take(change.size), change / divisor, 0.0)

    return drop
