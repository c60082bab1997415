"""Linear: the weighted average, or sum, of the models ("model soups").

    x = sum(w_i * x_i) / sum(w_i)          without `normalize`: x = sum(w_i * x_i)

Wortsman et al. 2022, "Model soups", arXiv:2203.05482; mergekit's `linear`.
"""

from collections.abc import Mapping, Sequence

from flair_client.arithmetic import FloatArray
from flair_client.merging.base import (
    MAX_MODELS,
    Param,
    PartFunction,
    TensorInput,
    as_float,
    flag,
)
from flair_client.merging.mixing import check_normalize, weighted_sum


class Linear:
    """`sum(w_i x_i)`, divided by the sum of the weights."""

    id = "linear"
    title = "weighted average of the models"
    params: tuple[Param, ...] = (flag("normalize", default=True),)
    weight_param: Param | None = None
    takes_base = False
    min_models = 2
    max_models = MAX_MODELS

    def check(self, params: Mapping[str, int], weights: Sequence[int]) -> str | None:
        """As `MergeMethod.check`."""
        return check_normalize(params, weights)

    def keeps_equal(self, params: Mapping[str, int]) -> bool:
        """The average of equal models is the model; their sum is not."""
        return bool(params["normalize"])

    def plan(self, tensor: TensorInput) -> PartFunction:
        """As `MergeMethod.plan`."""
        weights = [as_float(weight) for weight in tensor.weights]
        divisor = as_float(sum(tensor.weights)) if tensor.params["normalize"] else None

        def merge(models: Sequence[FloatArray], _base: FloatArray | None) -> FloatArray:
            total = weighted_sum(models, weights)
            return total if divisor is None else total / divisor

        return merge
