"""DARE, then task arithmetic: `base + lambda * sum(w_i * tau_i)`. See `dare`."""

from collections.abc import Mapping, Sequence

from flair_client.merging.base import MAX_MODELS, Param, PartFunction, TensorInput
from flair_client.merging.dare import DARE_PARAMS, drops
from flair_client.merging.mixing import check_normalize, task_vectors


class DareLinear:
    """Drop and rescale, then add up."""

    id = "dare_linear"
    title = "as task_arithmetic, with values of each change dropped at random"
    params: tuple[Param, ...] = DARE_PARAMS
    weight_param: Param | None = None
    takes_base = True
    min_models = 1
    max_models = MAX_MODELS

    def check(self, params: Mapping[str, int], weights: Sequence[int]) -> str | None:
        """As `MergeMethod.check`."""
        return check_normalize(params, weights)

    def keeps_equal(self, params: Mapping[str, int]) -> bool:  # noqa: ARG002 - protocol
        """Of no change nothing can be dropped."""
        return True

    def plan(self, tensor: TensorInput) -> PartFunction:
        """As `MergeMethod.plan`."""
        return task_vectors(tensor, drops(tensor), elect=False)
