"""A merge of arrays that are in memory, by the same rules: for simulations."""

from collections.abc import Sequence
from dataclasses import dataclass

from flair_client.arithmetic import FloatArray, Int16Array, IntArray
from flair_client.delta_integers import norm_sq
from flair_client.history.merge_distances import PairSums
from flair_client.strategies import Choice, Facts


@dataclass(frozen=True, slots=True)
class MergedArray:
    """The next `M` of one flat tensor, and what the strategy keeps of it."""

    values: IntArray
    moments: tuple[FloatArray, ...]


def merge_arrays(
    choice: Choice,
    base: IntArray,
    updates: Sequence[tuple[int, Int16Array]],
    moments: tuple[FloatArray, ...],
) -> MergedArray:
    """Merges one tensor that is the whole model.

    Args:
        choice: strategy, its parameters, eta and scale.
        base: `M` of the head, shape [values].
        updates: weight and integers of each, in a fixed order.
        moments: of the merge before; zeros the first time.

    Raises:
        TooFewUpdates: fewer than what the strategy promises needs.
        OutOfRange: a value leaves 64 bits.
    """
    strategy = choice.strategy
    strategy.require(len(updates), choice.params)
    deltas = [delta for _, delta in updates]
    sums = PairSums(len(deltas))
    if strategy.needs_distances:
        sums.add(deltas)
    facts = Facts(
        eta_q24=choice.eta_q24,
        scale_exp=choice.scale_exp,
        params=choice.params,
        weights=tuple(weight for weight, _ in updates),
        norms_sq=tuple(norm_sq(delta) for delta in deltas),
        distances_sq=sums.distances_sq() if strategy.needs_distances else (),
    )
    return MergedArray(*strategy.rule(facts).merge_part(base, iter(deltas), moments))
