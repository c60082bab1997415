"""FedAvgM: FedAvg with server momentum (Hsu, Qi and Brown 2019)."""

from flair_client.arithmetic import FloatArray
from flair_client.strategies.base import Facts, Plain, Rule
from flair_client.strategies.moments import MomentRule, number, server_rate
from flair_client.strategies.parameters import ONE_Q48, real


class FedAvgM(Plain):
    """`m = momentum * m + mean`, `M' = M + eta * m`."""

    id = "fedavgm"
    number = 3
    parameters = (real("momentum", "share of the old momentum", 0, ONE_Q48 - 1, "0.9"),)
    moments = ("m",)

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        momentum, eta = number(facts, "momentum_q48"), server_rate(facts)

        def step(
            mean: FloatArray, moments: tuple[FloatArray, ...]
        ) -> tuple[FloatArray, tuple[FloatArray, ...]]:
            m = moments[0] * momentum
            m = m + mean
            return m * eta, (m,)

        return MomentRule(facts, step)
