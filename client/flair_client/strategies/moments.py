"""What strategies with server momentum share: the mean as float64, and the step back.

The mean of the updates is computed from the exact integer sum:
`mean = sum(weight * delta) * 2^scale_exp / sum(weight)`, with one rounding. Every step
below is one operation of float64 on whole arrays, in the order in which it is written,
so that no compiler can join two of them. `M' = M + round_half_even(step)`.
"""

from collections.abc import Callable, Iterator

import numpy as np

from flair_client.arithmetic import (
    FRACTION_BITS,
    FloatArray,
    Int16Array,
    IntArray,
    add_checked,
    to_fixed,
)
from flair_client.strategies.base import Facts
from flair_client.strategies.parameters import ONE_Q48, real
from flair_client.strategies.sums import weighted_sum

# (mean, moments) -> (step, next moments), in units of the weights.
Step = Callable[
    [FloatArray, tuple[FloatArray, ...]], tuple[FloatArray, tuple[FloatArray, ...]]
]

BETA_1 = real("beta_1", "share of the old first moment", 0, ONE_Q48 - 1, "0.9")
BETA_2 = real("beta_2", "share of the old second moment", 0, ONE_Q48 - 1, "0.99")
# As in the paper's experiments; the square root of a second moment is compared with it.
TAU = real("tau", "how little a step adapts to small moments", 1, 16 * ONE_Q48, "0.001")


def number(facts: Facts, key: str) -> float:
    """A real parameter; exact, since it has at most 53 bits."""
    return facts.params[key] / ONE_Q48


def server_rate(facts: Facts) -> float:
    """Eta; exact."""
    return float(np.ldexp(float(facts.eta_q24), -FRACTION_BITS))


class MomentRule:
    """Moves by a step that depends on the mean of the updates and on moments."""

    def __init__(self, facts: Facts, step: Step) -> None:
        """With the strategy's own formula for the step."""
        self._facts = facts
        self._step = step

    def merge_part(
        self,
        base: IntArray,
        deltas: Iterator[Int16Array],
        moments: tuple[FloatArray, ...],
        name: str = "values",
    ) -> tuple[IntArray, tuple[FloatArray, ...]]:
        """As `Rule.merge_part`."""
        facts = self._facts
        total = weighted_sum(base.shape, deltas, facts.weights).astype(np.float64)
        mean = np.ldexp(total, facts.scale_exp) / np.float64(sum(facts.weights))
        step, kept = self._step(mean, moments)
        return add_checked(base, to_fixed(step, facts.scale_exp, name), name), kept


def adaptive_step(facts: Facts, second_moment: Step) -> Step:
    """The step that FedAdam, FedYogi and FedAdagrad share (Reddi et al. 2021, alg. 2).

    `m = beta_1 * m + (1 - beta_1) * mean`, `step = eta * m / (sqrt(v) + tau)`.

    Args:
        facts: of the merge.
        second_moment: gives the next `v` from the squared mean and the old `v`.
    """
    eta, tau = server_rate(facts), number(facts, "tau_q48")
    beta = number(facts, "beta_1_q48")

    def step(
        mean: FloatArray, moments: tuple[FloatArray, ...]
    ) -> tuple[FloatArray, tuple[FloatArray, ...]]:
        old_m, old_v = moments
        m = old_m * beta
        fresh = mean * (1.0 - beta)
        m = m + fresh
        v, _ = second_moment(mean * mean, (old_v,))
        scale = np.sqrt(v)
        scale = scale + tau
        moved = m * eta
        return moved / scale, (m, v)

    return step
