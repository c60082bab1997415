"""A merge of arrays that are in memory, by the same rules: for simulations."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from flair_client.arithmetic import FloatArray, Int16Array, IntArray
from flair_client.delta_integers import norm_sq
from flair_client.history.merge_distances import PairSums
from flair_client.strategies import Choice, Facts, Rule

# Values of a part: what a rule works on stays in the processor's cache, and one step
# over it takes much longer than handing the interpreter from thread to thread.
_PART: Final = 1 << 18
# Threads win nothing where there is less to do, nor where memory is what is slow.
_MIN_PARTS: Final = 8
_MAX_THREADS: Final = 4


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
    *,
    norms_sq: Sequence[int] | None = None,
) -> MergedArray:
    """Merges one tensor that is the whole model, part by part, side by side.

    Rules keep nothing between parts, so that the result does not depend on how the
    tensor is cut or on how many threads work on it.

    Args:
        choice: strategy, its parameters, eta and scale.
        base: `M` of the head, shape [values].
        updates: weight and integers of each, in a fixed order.
        moments: of the merge before; zeros the first time.
        norms_sq: squared norm of each update, where it is known.

    Raises:
        TooFewUpdates: fewer than what the strategy promises needs.
        OutOfRange: a value leaves 64 bits.
    """
    if choice.strategy.linear:
        # A sum is the same in any order, and found fastest with the heaviest first.
        order = sorted(range(len(updates)), key=lambda at: -updates[at][0])
        updates = [updates[at] for at in order]
        if norms_sq is not None:
            norms_sq = [norms_sq[at] for at in order]
    rule = _rule(choice, updates, norms_sq)
    values = np.empty(base.shape, dtype=np.int64)
    kept = tuple(np.empty(base.shape) for _ in moments)
    deltas = [delta for _, delta in updates]

    def merge(at: int) -> None:
        cut = slice(at, at + _PART)
        parts = (delta[cut] for delta in deltas)
        olds = tuple(old[cut] for old in moments)
        values[cut], news = rule.merge_part(base[cut], parts, olds)
        for into, new in zip(kept, news, strict=True):
            into[cut] = new

    starts = range(0, max(1, base.size), _PART)
    n_threads = min(os.cpu_count() or 1, _MAX_THREADS)
    if len(starts) < _MIN_PARTS or n_threads < 2:
        for at in starts:
            merge(at)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            # Reading the results out raises what a part raised, the first one first.
            for _ in pool.map(merge, starts, chunksize=1):
                pass
    return MergedArray(values, kept)


def _rule(
    choice: Choice,
    updates: Sequence[tuple[int, Int16Array]],
    norms_sq: Sequence[int] | None,
) -> Rule:
    strategy = choice.strategy
    strategy.require(len(updates), choice.params)
    deltas = [delta for _, delta in updates]
    sums = PairSums(len(deltas))
    if strategy.needs_distances:
        sums.add(deltas)
    if norms_sq is None:
        norms_sq = [norm_sq(delta) for delta in deltas]
    facts = Facts(
        eta_q24=choice.eta_q24,
        scale_exp=choice.scale_exp,
        params=choice.params,
        weights=tuple(weight for weight, _ in updates),
        norms_sq=tuple(norms_sq),
        distances_sq=sums.distances_sq() if strategy.needs_distances else (),
    )
    return strategy.rule(facts)
