"""What several methods share: weighted sums, and changes from a base put together.

The arithmetic is that of mergekit's generalised task arithmetic (`GTATask`): it covers
task arithmetic, TIES and DARE, which differ in what is left of each change and in
whether signs are elected.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from flair_client.arithmetic import FloatArray
from flair_client.merging.base import PartFunction, TensorInput, as_float

# What is left of one model's change; called part by part.
Sparsify = Callable[[FloatArray], FloatArray]


def weighted_sum(parts: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """`sum(w_i * x_i)`, added up in the order given."""
    total = parts[0] * weights[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        total += part * weight
    return total


def check_normalize(params: Mapping[str, int], weights: Sequence[int]) -> str | None:
    """Refuses to divide by a sum of weights that is zero."""
    if params["normalize"] and sum(weights) == 0:
        return "the weights add up to zero, so nothing can be divided by them"
    return None


def task_vectors(
    tensor: TensorInput, sparsify: Sequence[Sparsify] | None, *, elect: bool
) -> PartFunction:
    """`base + lambda * mix(w_i * tau_i)`, where `tau_i = sparsify(x_i - base)`.

    Args:
        tensor: with a base, and the parameters `lambda_e9` and `normalize`.
        sparsify: of each model; without it changes stay whole.
        elect: for each value only the changes of the elected sign count.
    """
    weights = [as_float(weight) for weight in tensor.weights]
    divisor = as_float(sum(tensor.weights))
    factor = as_float(tensor.params["lambda_e9"])
    normalize = bool(tensor.params["normalize"])

    def merge(models: Sequence[FloatArray], base: FloatArray | None) -> FloatArray:
        if base is None:
            raise ValueError("changes are counted from a base")
        changes = [model - base for model in models]
        if sparsify is not None:
            kept = zip(changes, sparsify, strict=True)
            changes = [sparsify_one(change) for change, sparsify_one in kept]
        if elect:
            mixed = elected_sum(changes, weights, normalize=normalize)
        else:
            mixed = weighted_sum(changes, weights)
            if normalize:
                mixed = mixed / divisor
        return base + mixed * factor

    return merge


def elected_sum(
    changes: Sequence[FloatArray], weights: Sequence[float], *, normalize: bool
) -> FloatArray:
    """TIES: elect a sign for each value, then add up what has that sign.

    The sign is that of `sum(w_i * tau_i)`, plus where that is zero. With `normalize`
    the sum is divided by the weights of those that were added: the disjoint mean.
    """
    is_plus = weighted_sum(changes, weights) >= 0
    total = np.zeros_like(changes[0])
    divisor = np.zeros_like(changes[0])
    for change, weight in zip(changes, weights, strict=True):
        weighted = change * weight
        agrees = np.where(is_plus, weighted > 0, weighted < 0)
        total += np.where(agrees, weighted, 0.0)
        divisor += np.where(agrees, weight, 0.0)
    if not normalize:
        return total
    # Where nothing was added the sum is zero, whatever it is divided by.
    return total / np.where(divisor == 0, 1.0, divisor)
