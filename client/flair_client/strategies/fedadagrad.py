"""FedAdagrad: the second moment only grows (Reddi et al. 2021)."""

from flair_client.arithmetic import FloatArray
from flair_client.strategies.base import Facts, Plain, Rule
from flair_client.strategies.moments import TAU, MomentRule, adaptive_step
from flair_client.strategies.parameters import ONE_Q48, real


class FedAdagrad(Plain):
    """`v = v + mean^2`; without a first moment unless the policy asks for one."""

    id = "fedadagrad"
    number = 6
    parameters = (
        real("beta_1", "share of the old first moment", 0, ONE_Q48 - 1, "0"),
        TAU,
    )
    moments = ("m", "v")

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""

        def second(
            square: FloatArray, moments: tuple[FloatArray, ...]
        ) -> tuple[FloatArray, tuple[FloatArray, ...]]:
            return moments[0] + square, ()

        return MomentRule(facts, adaptive_step(facts, second))
