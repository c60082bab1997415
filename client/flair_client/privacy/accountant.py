"""What updates with noise give away, counted by the library `dp-accounting`.

An update is clipped to a norm C and gets Gaussian noise of deviation z·C, where z is
the noise multiplier. Any two data sets, whether they differ in one patient or in all,
give clipped updates at most 2·C apart: the noise is z/2 of that distance. What follows
holds for every change of a site's data; those who count only whether a site takes part
at all would divide by C and state less.

DP-SGD inside of a recipe is counted too: each step takes every row by chance and adds
noise to the sum of gradients that were clipped row by row. What is counted there is one
row more or less in the data, not any change of it; together with noisy updates, which
cover that as well, the sum holds for one row (Mironov, Talwar, Zhang 2019,
arXiv:1908.10530).

Discrete Gaussian noise has the same Rényi divergences as the continuous one or smaller
ones (Canonne, Kamath, Steinke 2020, arXiv:2004.00010, theorem 14), so that the Gaussian
mechanism's accountant holds for it.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from flair_client.errors import ExtraMissing, UsageError
from flair_client.training.noisy_steps import NoisySteps

ACCOUNTANT: Final = "rdp, two clips apart"
SENSITIVITY_IN_CLIPS: Final = 2.0
MIN_EPSILON: Final = 1e-3
MAX_EPSILON: Final = 1e3
# The loss is the least over these orders of the divergence; the library's own are few.
_ORDERS: Final = tuple(1 + 10 ** (exponent / 50) for exponent in range(-100, 201))
# Higher ones do not converge for sampled rows, and are never the best there.
_SAMPLED_ORDERS: Final = tuple(order for order in _ORDERS if order < 1000)
# The multiplier is found to this part of itself, from above.
_PRECISION: Final = 1e-6


# What gives something away: a noisy update, by its noise multiplier, or steps.
Mechanism: TypeAlias = float | NoisySteps


def epsilon_of(mechanisms: Sequence[Mechanism], delta: float) -> float:
    """Privacy loss of mechanisms over the same data together; 0 of none.

    Args:
        mechanisms: noise multipliers of updates, all above 0, and steps of DP-SGD. With
            steps among them the loss is that of one row.
        delta: probability that the loss is larger, above 0 and below 1.

    Raises:
        ExtraMissing: the library is not installed.
        UsageError: a number is out of its range.
    """
    check_delta(delta)
    for one in mechanisms:
        if not isinstance(one, NoisySteps) and not (math.isfinite(one) and one > 0):
            raise UsageError(f"{one} is no noise multiplier")
    if not mechanisms:
        return 0.0
    library = _library()
    has_steps = any(isinstance(one, NoisySteps) for one in mechanisms)
    accountant = library.rdp.RdpAccountant(_SAMPLED_ORDERS if has_steps else _ORDERS)
    with _quiet():
        for one in mechanisms:
            accountant.compose(*_event(library, one))
        return float(accountant.get_epsilon(delta))


def _event(library: Any, mechanism: Mechanism) -> tuple[Any, int]:
    """What happens, and how often."""
    if isinstance(mechanism, NoisySteps):
        noise = library.GaussianDpEvent(mechanism.noise_multiplier)
        event = library.PoissonSampledDpEvent(mechanism.sampling_rate, noise)
        return event, mechanism.steps
    return library.GaussianDpEvent(mechanism / SENSITIVITY_IN_CLIPS), 1


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library from telling of orders that it leaves out, which is safe."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


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
