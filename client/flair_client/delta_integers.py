"""A delta's integers from floats: clipped to the norm, then rounded.

One tensor goes through memory at a time. Floats are read again for each pass, since
holding them would take several times the memory of the model.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from flair_client.arithmetic import (
    Array,
    FloatArray,
    Int16Array,
    IntArray,
    count_not_finite,
)
from flair_client.errors import NotFinite

# Squares of 16-bit integers are below 2^30: sums of so many are exact in float64,
# whose dot product is much faster than that of integers.
_N_DOT: Final = 1 << 20
# Floats are converted so many at once: temporaries stay small.
_N_PART: Final = 1 << 18


class DeltaPolicy(Protocol):
    """What a policy says about deltas (`chain.accounts.PolicyParams` is one)."""

    @property
    def bits(self) -> int:
        """Signed width of the integers."""

    @property
    def scale_exp(self) -> int:
        """Their unit is `2 ** scale_exp`."""

    @property
    def n_params(self) -> int:
        """Number of trainable and averaged values."""

    @property
    def norm_bound_sq(self) -> int:
        """Largest sum of squares."""


@dataclass(frozen=True, slots=True)
class Difference:
    """New weights minus base weights of one tensor, read anew in each pass.

    Attributes:
        shape: of the tensor.
        parts: gives the values flat and in order, some at a time, with each call; None
            where all are zero.
    """

    shape: tuple[int, ...]
    parts: Callable[[], Iterator[FloatArray]] | None

    @property
    def n_values(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class IntegerPlan:
    """How the floats of all tensors become integers within the norm.

    Attributes:
        norm: length of all floats before clipping, in units of the delta.
        factor: the floats are multiplied by it, then rounded.
        shrink: the integers are multiplied by it and rounded again; None where they
            are within the bound without.
        n_changed: values that are not zero before rounding.
    """

    norm: float
    factor: float
    shrink: float | None
    n_changed: int


class PlannedIntegers(Mapping[str, Int16Array]):
    """The integers by tensor name, made when they are asked for and not kept."""

    def __init__(
        self,
        differences: Mapping[str, Difference],
        policy: DeltaPolicy,
        plan: IntegerPlan,
    ) -> None:
        """As planned by `plan_integers` with the same arguments."""
        self._differences = differences
        self._policy = policy
        self._plan = plan

    def __getitem__(self, name: str) -> Int16Array:
        difference = self._differences[name]
        values = np.zeros(difference.n_values, np.int16)
        at = 0
        for part in _rounded(name, difference, self._policy, self._plan):
            values[at : at + part.size] = part
            at += part.size
        return values.reshape(difference.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._differences)

    def __len__(self) -> int:
        return len(self._differences)


def plan_integers(
    differences: Mapping[str, Difference], policy: DeltaPolicy
) -> IntegerPlan:
    """Finds how much to clip, so that the integers that come out are within the norm.

    Clipping the floats first keeps what rounding the integers twice would lose.

    Args:
        differences: of all shared tensors by name.
        policy: bits, scale and norm.

    Raises:
        NotFinite: a value is NaN or infinite; names the tensor.
    """
    norm = 0.0
    n_changed = 0
    for name, difference in differences.items():
        length, n_not_zero = _length(name, difference, policy.scale_exp)
        norm = math.hypot(norm, length)
        n_changed += n_not_zero
    bound = math.sqrt(policy.norm_bound_sq)
    factor = min(1.0, bound / norm) if norm else 1.0
    plan = IntegerPlan(norm, factor, None, n_changed)
    if factor == 1.0 and _stays_within(norm, n_changed, bound):
        return plan

    counts = np.zeros(1 << 16, np.int64)
    for name, difference in differences.items():
        for part in _rounded(name, difference, policy, plan):
            counts += count_values(part)
    shrink = shrink_to_norm(counts, policy.norm_bound_sq)
    return IntegerPlan(norm, factor, shrink, n_changed)


def make_integers(
    differences: Mapping[str, Array], policy: DeltaPolicy
) -> dict[str, Int16Array]:
    """A delta's integers from floats that are in memory already.

    Args:
        differences: new weights minus base weights, by name.
        policy: bits, scale and norm.

    Raises:
        NotFinite: a value is NaN or infinite; names the tensor.
    """
    sources = {
        name: Difference(values.shape, functools.partial(_cut, values))
        for name, values in differences.items()
    }
    planned = PlannedIntegers(sources, policy, plan_integers(sources, policy))
    return dict(planned.items())


def quantise(
    difference: Array, bits: int, scale_exp: int, name: str = "values"
) -> Int16Array:
    """Floats as integers in units of `2 ** scale_exp`, half to even, cut to the range.

    Args:
        difference: new weights minus base weights, of any shape.
        bits: 13 or 16; the range is `-2 ** (bits - 1)` to `2 ** (bits - 1) - 1`.
        scale_exp: of the policy.
        name: the tensor's, for messages.

    Raises:
        NotFinite: a value is NaN or infinite.
    """
    floats = np.asarray(difference, dtype=np.float64)
    n_bad = count_not_finite(floats)
    if n_bad:
        raise NotFinite(name, n_bad)
    low, high = int_range(bits)
    with np.errstate(over="ignore"):
        scaled = np.rint(np.ldexp(floats, -scale_exp))
    return np.clip(scaled, low, high).astype(np.int16)


def int_range(bits: int) -> tuple[int, int]:
    """Smallest and largest integer of so many bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def norm_sq(values: npt.NDArray[Any]) -> int:
    """Exact sum of squares of 16-bit integers."""
    flat = values.reshape(-1)
    total = 0
    for at in range(0, flat.size, _N_DOT):
        floats = flat[at : at + _N_DOT].astype(np.float64)
        total += int(np.dot(floats, floats))
    return total


def clip_to_norm(
    deltas: Mapping[str, Int16Array], norm_bound_sq: int
) -> dict[str, Int16Array]:
    """All tensors scaled by one factor, so that the sum of squares is within the bound.

    The bound holds for the integers that come out, not only before rounding. What is
    within the bound already is not changed.

    Args:
        deltas: by tensor name.
        norm_bound_sq: of the policy, in squared units of the delta.
    """
    counts = sum(map(count_values, deltas.values()), np.zeros(1 << 16, np.int64))
    shrink = shrink_to_norm(counts, norm_bound_sq)
    return {name: shrunk(values, shrink) for name, values in deltas.items()}


def count_values(values: Int16Array) -> IntArray:
    """How often each of the 2^16 integers occurs, from the smallest on."""
    places = values.reshape(-1).astype(np.int64) + (1 << 15)
    return np.bincount(places, minlength=1 << 16)


def shrink_to_norm(counts: IntArray, norm_bound_sq: int) -> float | None:
    """The factor that brings rounded integers within the bound; None where none is due.

    Args:
        counts: how often each integer occurs, from the smallest on: all that the norm
            after any factor depends on.
        norm_bound_sq: of the policy, in squared units of the delta.
    """
    (places,) = np.nonzero(counts)
    integers = (places - (1 << 15)).astype(np.int16)
    weights = [int(count) for count in counts[places]]

    def total_with(shrink: float | None) -> int:
        smaller = shrunk(integers, shrink).tolist()
        return sum(
            weight * value**2 for weight, value in zip(weights, smaller, strict=True)
        )

    original = total_with(None)
    if original <= norm_bound_sq:
        return None
    less = 2.0**-20
    while True:
        # Rounding can make it longer again: a little less then, each time by more.
        factor = math.sqrt(norm_bound_sq / original) * (1 - less)
        if total_with(factor) <= norm_bound_sq:
            return factor
        less = min(1.0, 2 * less)


def shrunk(values: Int16Array, shrink: float | None) -> Int16Array:
    """The integers times a factor, half to even; as they are where there is none."""
    if shrink is None:
        return values
    smaller: Int16Array = np.rint(values * shrink).astype(np.int16)
    return smaller


def _rounded(
    name: str, difference: Difference, policy: DeltaPolicy, plan: IntegerPlan
) -> Iterator[Int16Array]:
    for part in difference.parts() if difference.parts is not None else ():
        floats = np.ldexp(part, -policy.scale_exp) * plan.factor
        yield shrunk(quantise(floats, policy.bits, 0, name), plan.shrink)


def _length(name: str, difference: Difference, scale_exp: int) -> tuple[float, int]:
    """Length of one tensor's floats in units of the delta; how many are not zero."""
    if difference.parts is None:
        return 0.0, 0
    floats = np.empty(difference.n_values, np.float64)
    at = n_bad = n_changed = 0
    largest = 0.0
    for part in difference.parts():
        scaled = np.ldexp(part, -scale_exp)
        n_bad += count_not_finite(scaled)
        n_changed += int(np.count_nonzero(part))
        largest = max(largest, float(np.abs(scaled).max(initial=0.0)))
        floats[at : at + part.size] = scaled
        at += part.size
    if n_bad:
        raise NotFinite(name, n_bad)
    # By the largest value, so that squares of huge numbers do not overflow.
    if largest:
        floats /= largest
    return largest * math.sqrt(float(np.dot(floats, floats))), n_changed


def _stays_within(norm: float, n_changed: int, bound: float) -> bool:
    """Whether rounding cannot lead beyond the bound.

    Each changed value moves by at most a half, so that the length grows by at most half
    the root of their number; a part in 10^9 is for the rounding of this very sum.
    """
    return (norm + 0.5 * math.sqrt(n_changed)) * (1 + 1e-9) <= bound


def _cut(values: Array) -> Iterator[FloatArray]:
    flat = np.asarray(values, np.float64).reshape(-1)
    return (flat[at : at + _N_PART] for at in range(0, flat.size, _N_PART))
