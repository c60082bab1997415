"""Task arithmetic: the changes of all models, added to their base.

    x = base + lambda * sum(w_i * tau_i)       tau_i = x_i - base

A negative weight takes a task away. With `normalize` the sum is divided by the sum of
the weights. Ilharco et al. 2023, "Editing models with task arithmetic",
arXiv:2212.04089; mergekit's `task_arithmetic`.
"""

from collections.abc import Mapping, Sequence

from flair_client.merging.base import (
    LAMBDA,
    MAX_MODELS,
    Param,
    PartFunction,
    TensorInput,
    flag,
)
from flair_client.merging.mixing import check_normalize, task_vectors


class TaskArithmetic:
    """`base + lambda * sum(w_i tau_i)`."""

    id = "task_arithmetic"
    title = "the base plus the weighted changes of all models"
    params: tuple[Param, ...] = (LAMBDA, flag("normalize", default=False))
    weight_param: Param | None = None
    takes_base = True
    min_models = 1
    max_models = MAX_MODELS

    def check(self, params: Mapping[str, int], weights: Sequence[int]) -> str | None:
        """As `MergeMethod.check`."""
        return check_normalize(params, weights)

    def keeps_equal(self, params: Mapping[str, int]) -> bool:  # noqa: ARG002 - protocol
        """No change from the base, whatever it is multiplied by, is none."""
        return True

    def plan(self, tensor: TensorInput) -> PartFunction:
        """As `MergeMethod.plan`."""
        return task_vectors(tensor, None, elect=False)
