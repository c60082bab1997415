"""Linear models of scikit-learn as tensors, and back.

Only from objects that are in this process already: files of scikit-learn are pickles,
which are not read.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from flair_client.arithmetic import Array
from flair_client.errors import ObjectInvalid, TensorMismatch, UsageError
from flair_client.weights.foreign import ForeignWeights
from flair_client.weights.npz_file import array_source
from flair_client.weights.proposals import TensorKind

COEF: Final = "coef_"
INTERCEPT: Final = "intercept_"
CLASSES: Final = "classes_"
_PACKAGES: Final = ("sklearn.linear_model.", "sklearn.svm.")


def sklearn_weights(model: Any, n_features: int | None = None) -> ForeignWeights:
    """The tensors `coef_`, `intercept_` and, of a classifier, `classes_`.

    Args:
        model: a linear model.
        n_features: for a model that was not fitted: it begins with zeros, and a
            classifier with the classes 0 and 1.

    Raises:
        UsageError: it is no linear model, or was not fitted.
        ObjectInvalid: the classes are no integers.
    """
    _check_linear(model)
    arrays = _arrays(model)
    if not arrays:
        if n_features is None:
            raise UsageError(f"{type(model).__name__} was not fitted yet")
        arrays = _zeros(model, n_features)
    if CLASSES in arrays and arrays[CLASSES].dtype.kind not in "iub":
        reason = f"holds {arrays[CLASSES].dtype}, classes are integers"
        raise ObjectInvalid(f"tensor {CLASSES!r}", reason)
    return ForeignWeights(
        tuple(array_source(name, value) for name, value in arrays.items())
    )


def sklearn_kinds(model: Any) -> dict[str, TensorKind]:
    """What the tensors of a linear model are."""
    fits = getattr(model, "fit_intercept", True)
    return {
        COEF: TensorKind.PARAMETER,
        INTERCEPT: TensorKind.PARAMETER if fits else TensorKind.FIXED,
        CLASSES: TensorKind.FIXED,
    }


def fill_sklearn(model: Any, weights: Mapping[str, Array]) -> None:
    """Puts tensors into a linear model, so that it predicts with them.

    Args:
        model: fitted or not; it is changed.
        weights: as `sklearn_weights` gave them, or later ones.

    Raises:
        UsageError: it is no linear model.
        TensorMismatch: other tensors than such a model has.
    """
    _check_linear(model)
    for name in sorted({COEF, INTERCEPT} | weights.keys()):
        if name not in weights:
            raise TensorMismatch(name, "values", "nothing")
        if name not in (COEF, INTERCEPT, CLASSES):
            raise TensorMismatch(name, "nothing", f"shape {list(weights[name].shape)}")
    for name, value in weights.items():
        # A model with one output keeps its intercept as a number.
        setattr(model, name, value[()] if value.shape == () else np.array(value))
    model.n_features_in_ = weights[COEF].shape[-1]


def _check_linear(model: Any) -> None:
    kind = type(model)
    whole = f"{kind.__module__}.{kind.__qualname__}"
    is_ours = any(
        f"{base.__module__}.".startswith(_PACKAGES) for base in kind.__mro__[:-1]
    )
    if isinstance(model, type) or not is_ours or not hasattr(model, "fit"):
        raise UsageError(f"{whole} is no linear model of scikit-learn")


def _arrays(model: Any) -> dict[str, Array]:
    # Of a support vector machine these exist only where its kernel is linear.
    found = {
        name: np.asarray(getattr(model, name))
        for name in (COEF, INTERCEPT, CLASSES)
        if getattr(model, name, None) is not None
    }
    return found if {COEF, INTERCEPT} <= found.keys() else {}


def _zeros(model: Any, n_features: int) -> dict[str, Array]:
    if _is_classifier(model):
        return {
            COEF: np.zeros((1, n_features)),
            INTERCEPT: np.zeros(1),
            CLASSES: np.array([0, 1]),
        }
    return {COEF: np.zeros(n_features), INTERCEPT: np.array(0.0)}


def _is_classifier(model: Any) -> bool:
    from sklearn.base import is_classifier

    return bool(is_classifier(model))
