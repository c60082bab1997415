"""SCAFFOLD: control variates correct how far contributors drift (Karimireddy 2020).

Algorithm 1 of https://arxiv.org/abs/1910.06378, with option II. A contributor adds
`c - c_i` to each of its gradients. Afterwards its own variate becomes
`c_i - c + (x - y_i) / (K * rate of a step)`, and `y_i - x` is what it publishes: the
delta. With the product `K * rate of a step` fixed by the policy, everybody works out
what the variate moved by, so that no second vector leaves the contributor.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from flair_client.arithmetic import (
    FloatArray,
    Int16Array,
    IntArray,
    add_checked,
    scale_checked,
)
from flair_client.strategies.base import Facts, Plain, Rule, lambda_for
from flair_client.strategies.moments import number
from flair_client.strategies.parameters import count, real
from flair_client.strategies.sums import weighted_sum

MAX_CONTRIBUTORS: Final = 1_000_000
# Names of the state's tensors begin with it: `c/NAME`.
VARIATE: Final = "c"
RATE: Final = "rate_q48"


class Scaffold(Plain):
    """`M' = M + eta * mean(delta)`, `c' = c - (c + mean(delta) / rate) * n / N`.

    The mean is over contributors, not over samples, as in the paper: the server's
    variate stays the mean of everybody's only where all count alike in every round.
    """

    id = "scaffold"
    number = 13
    parameters = (
        real(
            "rate",
            "local steps times their learning rate, the same for every contributor",
            1,
            (1 << 63) - 1,
        ),
        count(
            "contributors",
            "all that take part in some round; 0 stands for those of each round",
            0,
            MAX_CONTRIBUTORS,
            0,
        ),
    )
    moments = (VARIATE,)

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        return _ScaffoldRule(facts)


class _ScaffoldRule:
    def __init__(self, facts: Facts) -> None:
        n_updates = facts.n_updates
        self._ones = (1,) * n_updates
        self._lambda = lambda_for(facts.eta_q24, n_updates)
        self._scale_exp = facts.scale_exp
        self._rate = number(facts, RATE)
        self._share = n_updates / max(n_updates, facts.params["contributors"])

    def merge_part(
        self,
        base: IntArray,
        deltas: Iterator[Int16Array],
        moments: tuple[FloatArray, ...],
        name: str = "values",
    ) -> tuple[IntArray, tuple[FloatArray, ...]]:
        total = weighted_sum(base.shape, deltas, self._ones)
        merged = add_checked(base, scale_checked(total, self._lambda, name), name)
        mean = np.ldexp(total.astype(np.float64), self._scale_exp)
        mean = mean / np.float64(len(self._ones))
        variate = moved(moments[0], mean, self._rate, self._share, moments[0])
        return merged, (variate,)


def moved(
    variate: FloatArray,
    delta: FloatArray,
    rate: float,
    share: float,
    server: FloatArray,
) -> FloatArray:
    """The next variate: `variate - (server + delta / rate) * share`, in this order.

    The server's own with the mean of the deltas, a contributor's with its own delta and
    a share of 1.

    Args:
        variate: that moves.
        delta: in units of the weights.
        rate: of the policy.
        share: of all contributors that took part.
        server: the server's variate, which the deltas were trained with.
    """
    slope = delta / np.float64(rate)
    change = server + slope
    change = change * np.float64(share)
    return variate - change
