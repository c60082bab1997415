"""What updates with noise give away, counted by the library `dp-accounting`.

An update is clipped to a norm C and gets Gaussian noise of deviation z·C, where z is
the noise multiplier. Any two data sets, whether they differ in one patient or in all,
give clipped updates at most 2·C apart: the noise is z/2 of that distance. What follows
holds for every change of a site's data; those who count only whether a site takes part
at all would divide by C and state less.

Discrete Gaussian noise has the same Rényi divergences as the continuous one or smaller
ones (Canonne, Kamath, Steinke 2020, arXiv:2004.00010, theorem 14), so that the Gaussian
mechanism's accountant holds for it.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from flair_client.errors import ExtraMissing, UsageError

ACCOUNTANT: Final = "rdp, two clips apart"
SENSITIVITY_IN_CLIPS: Final = 2.0
MIN_EPSILON: Final = 1e-3
MAX_EPSILON: Final = 1e3
# The loss is the least over these orders of the divergence; the library's own are few.
_ORDERS: Final = tuple(1 + 10 ** (exponent / 50) for exponent in range(-100, 201))
# The multiplier is found to this part of itself, from above.
_PRECISION: Final = 1e-6


def epsilon_of(noise_multipliers: Sequence[float], delta: float) -> float:
    """Privacy loss of updates of the same data together; 0 of none.

    Args:
        noise_multipliers: of each update; all above 0.
        delta: probability that the loss is larger, above 0 and below 1.

    Raises:
        ExtraMissing: the library is not installed.
        UsageError: a number is out of its range.
    """
    check_delta(delta)
    for multiplier in noise_multipliers:
        if not (math.isfinite(multiplier) and multiplier > 0):
            raise UsageError(f"{multiplier} is no noise multiplier")
    if not noise_multipliers:
        return 0.0
    library = _library()
    accountant = library.rdp.RdpAccountant(_ORDERS)
    for multiplier in noise_multipliers:
        accountant.compose(library.GaussianDpEvent(multiplier / SENSITIVITY_IN_CLIPS))
    return float(accountant.get_epsilon(delta))


def noise_multiplier_for(epsilon: float, delta: float) -> float:
    """The smallest noise that keeps one update's loss within epsilon.

    Raises:
        ExtraMissing: the library is not installed.
        UsageError: a number is out of its range.
    """
    check_epsilon(epsilon)
    check_delta(delta)
    low, high = 0.0, 1.0
    while epsilon_of((high,), delta) > epsilon:
        low, high = high, 2 * high
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        if epsilon_of((middle,), delta) > epsilon:
            low = middle
        else:
            high = middle
    return high


def check_epsilon(epsilon: float) -> None:
    """Refuses what is no privacy loss that one could ask for.

    Raises:
        UsageError: it is out of its range.
    """
    if not MIN_EPSILON <= epsilon <= MAX_EPSILON:
        raise UsageError(
            f"epsilon {epsilon:g} is not in {MIN_EPSILON} to {MAX_EPSILON:g}"
        )


def check_delta(delta: float) -> None:
    """Refuses what is no probability that one could live with.

    Raises:
        UsageError: it is out of its range.
    """
    if not 0 < delta < 1:
        raise UsageError(f"delta {delta:g} is not between 0 and 1")


def _library() -> Any:
    try:
        import dp_accounting
        import dp_accounting.rdp
    except ImportError as exc:
        raise ExtraMissing("privacy", "is not installed") from exc
    return dp_accounting
