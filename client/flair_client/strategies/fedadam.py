"""FedAdam: Adam on the server (Reddi et al. 2021), without bias correction."""

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


class FedAdam(Plain):
    """`v = beta_2 * v + (1 - beta_2) * mean^2`."""

    id = "fedadam"
    number = 4
    parameters = (BETA_1, BETA_2, TAU)
    moments = ("m", "v")

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        beta = number(facts, "beta_2_q48")

        def second(
            square: FloatArray, moments: tuple[FloatArray, ...]
        ) -> tuple[FloatArray, tuple[FloatArray, ...]]:
            v = moments[0] * beta
            fresh = square * (1.0 - beta)
            return v + fresh, ()

        return MomentRule(facts, adaptive_step(facts, second))
