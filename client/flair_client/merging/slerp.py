"""Slerp: from one model to another along the arc between them, tensor by tensor.

    x = sin((1 - t) w) / sin w * a  +  sin(t w) / sin w * b
    cos w = (a . b) / (|a| |b|)

Where `|cos w| > 0.9995` the arc is a line within rounding, and
`x = (1 - t) * a + t * b`. A length of at most 1e-8 counts as 1, so that `w` of a zero
tensor is a right angle. `1 - t` and `t` are the weights of the two models.

Shoemake 1985, "Animating rotation with quaternion curves" (SIGGRAPH); mergekit's
`slerp`.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from flair_client.arithmetic import FloatArray
from flair_client.errors import OutOfRange
from flair_client.merging.angles import slerp_factors
from flair_client.merging.base import (
    UNIT,
    Param,
    ParamKind,
    PartFunction,
    TensorInput,
    as_float,
)
from flair_client.merging.mixing import weighted_sum
from flair_client.merging.sums import OrderedSum

PARALLEL: Final = 0.9995
ZERO_LENGTH: Final = 1e-8
T: Final = Param("t", ParamKind.NUMBER, None, 0, UNIT, "from 0 to 1")


class Slerp:
    """Spherical interpolation between exactly two models."""

    id = "slerp"
    title = "spherical interpolation between two models"
    params: tuple[Param, ...] = ()
    weight_param: Param | None = T
    takes_base = False
    min_models = 2
    max_models = 2

    def check(self, params: Mapping[str, int], weights: Sequence[int]) -> str | None:  # noqa: ARG002 - protocol
        """The weights are 1 - t and t."""
        if sum(weights) != UNIT or min(weights) < 0:
            return "the two weights are 1 - t and t, with t from 0 to 1"
        return None

    def keeps_equal(self, params: Mapping[str, int]) -> bool:  # noqa: ARG002 - protocol
        """Between equal models there is only the model."""
        return True

    def plan(self, tensor: TensorInput) -> PartFunction:
        """As `MergeMethod.plan`; reads both models once for the angle."""
        cosine = _cosine(tensor)
        weight, t = tensor.weights
        if abs(cosine) > PARALLEL:
            factors = as_float(weight), as_float(t)
        else:
            factors = slerp_factors(cosine, Decimal(t) / UNIT)

        def merge(models: Sequence[FloatArray], _base: FloatArray | None) -> FloatArray:
            return weighted_sum(models, factors)

        return merge


def _cosine(tensor: TensorInput) -> float:
    first_sq, second_sq, product = OrderedSum(), OrderedSum(), OrderedSum()
    first, second = tensor.models
    for a, b in zip(first.parts(), second.parts(), strict=True):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            first_sq.add(a * a)
            second_sq.add(b * b)
            product.add(a * b)
    sums = [one.total() for one in (first_sq, second_sq, product)]
    if not all(map(math.isfinite, sums)):
        raise OutOfRange(f"tensor {tensor.name!r}: its length is beyond float64")
    lengths = [math.sqrt(square) for square in sums[:2]]
    lengths = [length if length > ZERO_LENGTH else 1.0 for length in lengths]
    return sums[2] / lengths[0] / lengths[1]
