"""DARE, then the election and the sum of TIES. See `dare` and `ties`."""

from collections.abc import Mapping, Sequence

from flair_client.merging.base import MAX_MODELS, Param, PartFunction, TensorInput
from flair_client.merging.dare import DARE_PARAMS, drops
from flair_client.merging.mixing import task_vectors


class DareTies:
    """Drop and rescale, elect sign, sum or disjoint mean."""

    id = "dare_ties"
    title = "as ties, with values of each change dropped at random, not the smallest"
    params: tuple[Param, ...] = DARE_PARAMS
    weight_param: Param | None = None
    takes_base = True
    min_models = 1
    max_models = MAX_MODELS

    def check(self, params: Mapping[str, int], weights: Sequence[int]) -> str | None:  # noqa: ARG002 - protocol
        """Weights that add up to zero over those that agree are divided by nothing."""
        return None

    def keeps_equal(self, params: Mapping[str, int]) -> bool:  # noqa: ARG002 - protocol
        """Of no change nothing can be dropped."""
        return True

    def plan(self, tensor: TensorInput) -> PartFunction:
        """As `MergeMethod.plan`."""
        return task_vectors(tensor, drops(tensor), elect=True)
