"""What a strategy is: updates in, the next state out, the same bytes on every machine.

A strategy is asked in three steps. `require` says whether its promise holds for so many
updates. `rule` sees what is known of the updates as wholes: weights, norms, distances.
The rule that comes out then merges one part of one tensor after the other.

Sums are exact integers. Where floats are needed they are float64, one operation at a
time in a fixed order, and only + - * / and the square root, which IEEE 754 rounds alike
everywhere. No sum over floats is left to NumPy, whose order depends on the machine.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from flair_client.arithmetic import FloatArray, Int16Array, IntArray, divide_half_even
from flair_client.limits import MAX_UPDATES, MAX_WEIGHT
from flair_client.strategies.parameters import Parameter

# Squared distance of each update to each, in units of the delta.
Distances = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a rule may depend on beside the values of a tensor.

    Attributes:
        eta_q24: server learning rate of the policy, in units of 2^-24.
        scale_exp: deltas are in units of `2 ** scale_exp`.
        params: of the strategy, by `Parameter.key`.
        weights: of each update, in the order of the contributors' addresses.
        norms_sq: squared norm of each, in units of the delta.
        distances_sq: only for a strategy that asks for them.
    """

    eta_q24: int
    scale_exp: int
    params: Mapping[str, int]
    weights: tuple[int, ...]
    norms_sq: tuple[int, ...]
    distances_sq: Distances = ()

    def __post_init__(self) -> None:
        for weight in self.weights:
            if not 1 <= weight <= MAX_WEIGHT:
                raise ValueError(f"a weight of {weight}")
        if not 1 <= len(self.weights) <= MAX_UPDATES:
            raise ValueError(f"{len(self.weights)} updates")

    @property
    def n_updates(self) -> int:
        """How many there are."""
        return len(self.weights)


class Rule(Protocol):
    """How one part of a tensor is merged. Keeps nothing between parts."""

    def merge_part(
        self,
        base: IntArray,
        deltas: Iterator[Int16Array],
        moments: tuple[FloatArray, ...],
        name: str = "values",
    ) -> tuple[IntArray, tuple[FloatArray, ...]]:
        """The next `M` of a part, and what the strategy keeps of it.

        Args:
            base: `M` of the head.
            deltas: the same part of each update, in the order of the facts. Read at
                most once.
            moments: what the strategy kept last time; zeros the first time.
            name: the tensor's, for messages.

        Raises:
            OutOfRange: a value leaves 64 bits.
        """


class Strategy(Protocol):
    """A pure function of its arguments: no clock, no network, no randomness."""

    @property
    def id(self) -> str:
        """Its name in policies, commits and the registry."""

    @property
    def number(self) -> int:
        """`strategy` of a policy on chain."""

    @property
    def linear(self) -> bool:
        """Whether an update adds a term of its own, which can be taken back."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What a policy can set."""

    @property
    def moments(self) -> tuple[str, ...]:
        """Arrays of float64, as large as the model, kept from one merge to the next."""

    @property
    def needs_distances(self) -> bool:
        """Whether its rule depends on how far updates are apart."""

    def require(self, n_updates: int, params: Mapping[str, int]) -> None:
        """Refuses what its promise does not cover.

        Raises:
            TooFewUpdates: names the bound.
        """

    def rule(self, facts: Facts) -> Rule:
        """How the tensors of this merge are merged."""


class Plain:
    """What most strategies have in common: nothing to set, keep or refuse."""

    linear = False
    parameters: tuple[Parameter, ...] = ()
    moments: tuple[str, ...] = ()
    needs_distances = False

    def require(self, n_updates: int, params: Mapping[str, int]) -> None:
        """Takes any number of updates."""


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
