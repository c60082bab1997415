"""FedYogi: the second moment moves by a bounded amount (Reddi et al. 2021)."""

import numpy as np

from flair_client.arithmetic import FloatArray
from flair_client.strategies.base import Facts, Plain, Rule
from flair_client.strategies.moments import (
    BETA_1,
    BETA_2,
    TAU,
    MomentRule,
    adaptive_step,
    number,
)


class FedYogi(Plain):
    """`v = v - (1 - beta_2) * mean^2 * sign(v - mean^2)`."""

    id = "fedyogi"
    number = 5
    parameters = (BETA_1, BETA_2, TAU)
    moments = ("m", "v")

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        beta = number(facts, "beta_2_q48")

        def second(
            square: FloatArray, moments: tuple[FloatArray, ...]
        ) -> tuple[FloatArray, tuple[FloatArray, ...]]:
            (v,) = moments
            fresh = square * (1.0 - beta)
            return v - fresh * np.sign(v - square), ()

        return MomentRule(facts, adaptive_step(facts, second))
