"""What a strategy is: updates in, the next state out, as pure integer arithmetic."""

from collections.abc import Iterable
from typing import Protocol

from flair_client.arithmetic import Int16Array, IntArray, divide_half_even

# (weight, delta) of one update.
WeightedDelta = tuple[int, Int16Array]
_ETA_BITS = 24


class Strategy(Protocol):
    """A pure function of its arguments: no clock, no network, no randomness.

    Attributes:
        id: name in commits and in the registry.
        number: `strategy` of a policy on chain.
        linear: whether an update adds a term of its own, which can be taken back.
    """

    id: str
    number: int
    linear: bool

    def merge_tensor(
        self,
        base: IntArray,
        updates: Iterable[WeightedDelta],
        lambda_: int,
        name: str = "values",
    ) -> IntArray:
        """The next `M` of a tensor, or of the same part of it in all arguments.

        Args:
            base: `M` of the head.
            updates: weight and integers of each, read once, one at a time.
            lambda_: `lambda_for` of the policy's eta and the sum of weights.
            name: the tensor's, for messages.

        Raises:
            OutOfRange: a sum leaves 64 bits.
        """


def lambda_for(eta_q24: int, weight_sum: int) -> int:
    """`round_half_even(eta_q24 / weight_sum)`: what one unit of weight adds to `M`.

    A delta counts units of `2 ** scale_exp` and `M` units 2^24 times smaller, which is
    the 2^24 in `eta_q24`.

    Raises:
        ValueError: the sum is not positive.
    """
    if weight_sum < 1:
        raise ValueError(f"a weight sum of {weight_sum}")
    return divide_half_even(eta_q24, weight_sum)
