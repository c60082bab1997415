"""Weights from objects in memory: state dicts, modules, linear models, arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from flair_client.errors import UsageError
from flair_client.weights.foreign import ForeignWeights
from flair_client.weights.npz_file import array_source
from flair_client.weights.sklearn_model import sklearn_weights
from flair_client.weights.torch_file import state_dict_weights


def weights_of(value: Any) -> ForeignWeights:
    """Gives the weights of a live object.

    Args:
        value: a mapping of names to arrays or tensors, a PyTorch module, or a linear
            model of scikit-learn.

    Raises:
        UsageError: it holds no weights.
        ObjectInvalid: a tensor has no place in a model.
        ExtraMissing: PyTorch is too old.
    """
    if isinstance(value, Mapping):
        if any(hasattr(one, "untyped_storage") for one in value.values()):
            return state_dict_weights(value)
        return ForeignWeights(
            tuple(
                array_source(str(name), np.asarray(one)) for name, one in value.items()
            )
        )
    if hasattr(value, "state_dict"):
        return state_dict_weights(value.state_dict())
    if hasattr(value, "coef_"):
        return sklearn_weights(value)
    raise UsageError(f"{type(value).__name__} holds no weights")
