"""What a policy's integers do to the updates of one local run, and which would fit.

Only arithmetic; where the updates come from is for `policy_suggest`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from flair_client.arithmetic import FRACTION_BITS, FloatArray
from flair_client.delta_integers import int_range
from flair_client.errors import OutOfRange
from flair_client.limits import MAX_SCALE_EXP, MIN_SCALE_EXP

BITS: Final = (13, 16)
# Two bits of 64 are kept free for weights that grow.
_STATE_BITS: Final = 61
# With thirteen bits an update may lose so much, and not more.
_MAX_ERROR: Final = 0.01
_MAX_ZERO_SHARE: Final = 0.01

# Base and new values of one tensor after the other, flat, as float64.
Pairs: TypeAlias = Callable[[], Iterator[tuple[FloatArray, FloatArray]]]


@dataclass(frozen=True, slots=True)
class Update:
    """The update of one run, and its measures.

    Attributes:
        kind: of the run, for people.
        pairs: reads the values anew with each call.
        length: of the difference.
        largest: magnitude in the difference.
        largest_value: magnitude among base and new values.
        n_values, n_changed: values, and those that are not as they were.
    """

    kind: str
    pairs: Pairs
    length: float
    largest: float
    largest_value: float
    n_values: int
    n_changed: int


@dataclass(frozen=True, slots=True)
class RunFit:
    """What a policy does to one run's update.

    Attributes:
        kind: of the run.
        length: of the update, in units of the weights.
        norm_by_bound: length by the policy's bound; above 1 it would be scaled down.
        largest: magnitude of a difference.
        clipped_share: of all values, those cut to the range of the integers.
        zero_share: of the changed values, those that round to zero.
        error: length of what cutting and rounding change, by that of the update.
    """

    kind: str
    length: float
    norm_by_bound: float
    largest: float
    clipped_share: float
    zero_share: float
    error: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """Fields of a policy, and what they do to each run."""

    bits: int
    scale_exp: int
    norm_bound: float
    runs: tuple[RunFit, ...]

    @property
    def is_fine(self) -> bool:
        """Whether little enough is lost that fewer bits will do."""
        return all(
            run.error <= _MAX_ERROR and run.zero_share <= _MAX_ZERO_SHARE
            for run in self.runs
        )


def measure(kind: str, pairs: Pairs) -> Update:
    """Takes an update's measures in one pass."""
    length = largest = largest_value = 0.0
    n_values = n_changed = 0
    for old, new in pairs():
        difference = new - old
        if not difference.size:
            continue
        top = float(np.abs(difference).max())
        # By the largest value, so that squares of huge numbers do not overflow.
        part = top * float(np.linalg.norm(difference / top)) if top else 0.0
        length = math.hypot(length, part)
        largest = max(largest, top)
        largest_value = max(
            largest_value, float(np.abs(old).max()), float(np.abs(new).max())
        )
        n_values += difference.size
        n_changed += int(np.count_nonzero(difference))
    return Update(kind, pairs, length, largest, largest_value, n_values, n_changed)


def propose(
    updates: Sequence[Update], headroom: float
) -> tuple[Proposal, tuple[Proposal, ...]]:
    """Gives the fields that fit, and what each width of integers would do.

    The unit is the finest that holds the largest difference times the headroom, and
    with which 64 bits hold the weights. The bound is the largest length times the
    headroom, rounded up to two digits.

    Args:
        updates: of all kinds of rounds; one of them changed something.
        headroom: how much larger other contributors' updates may be.

    Raises:
        OutOfRange: no unit that a policy may have fits.
    """
    bound = round_up(headroom * max(one.length for one in updates))
    proposals = []
    for bits in BITS:
        scale_exp = fitting_scale(updates, bits, headroom)
        runs = tuple(fit_run(one, bits, scale_exp, bound) for one in updates)
        proposals.append(Proposal(bits, scale_exp, bound, runs))
    narrow, wide = proposals
    return narrow if narrow.is_fine else wide, tuple(proposals)


def fitting_scale(updates: Sequence[Update], bits: int, headroom: float) -> int:
    """The smallest exponent of the unit with which everything fits.

    Raises:
        OutOfRange: it is beyond what a policy may have.
    """
    _, high = int_range(bits)
    step = headroom * max(one.largest for one in updates) / high
    scale_exp = max(MIN_SCALE_EXP, math.ceil(math.log2(step)))
    value = max(one.largest_value for one in updates)
    if value:
        # `M` is the value times 2^(24 - scale_exp), and must stay below 2^63.
        least = math.ceil(math.log2(value)) + FRACTION_BITS - _STATE_BITS
        scale_exp = max(scale_exp, least)
    if scale_exp > MAX_SCALE_EXP:
        raise OutOfRange(
            f"updates of this size need scale_exp {scale_exp}, at most "
            f"{MAX_SCALE_EXP} is allowed"
        )
    return scale_exp


def fit_run(update: Update, bits: int, scale_exp: int, norm_bound: float) -> RunFit:
    """What a policy with these fields does to an update, value by value."""
    low, high = int_range(bits)
    by_bound = update.length / norm_bound
    # As `delta_integers` does it: first clipped to the norm, then rounded.
    factor = min(1.0, 1 / by_bound) if by_bound else 1.0
    n_clipped = n_kept = 0
    error = 0.0
    for old, new in update.pairs():
        difference = new - old
        scaled = np.rint(np.ldexp(difference, -scale_exp) * factor)
        integers = np.clip(scaled, low, high)
        n_clipped += int(np.count_nonzero(scaled != integers))
        n_kept += int(np.count_nonzero(integers))
        lost = difference * factor - np.ldexp(integers, scale_exp)
        error = math.hypot(error, float(np.linalg.norm(lost)))
    length = update.length * factor
    return RunFit(
        update.kind,
        update.length,
        by_bound,
        update.largest,
        n_clipped / update.n_values if update.n_values else 0.0,
        1 - n_kept / update.n_changed if update.n_changed else 0.0,
        error / length if length else 0.0,
    )


def round_up(value: float) -> float:
    """The next number of two digits: 0.0231 gives 0.024, 117 gives 120."""
    if not value:
        return 0.0
    step = math.floor(math.log10(value)) - 1
    digits = math.ceil(float(f"{value / 10.0**step:.9g}"))
    return float(f"{digits}e{step}")
