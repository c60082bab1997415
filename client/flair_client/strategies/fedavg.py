"""FedAvg: the mean of the updates, weighted, times eta (McMahan et al. 2017)."""

from flair_client.strategies.base import Facts, Plain, Rule, lambda_for
from flair_client.strategies.sums import MeanRule


class FedAvg(Plain):
    """`M' = M + lambda * sum(weight * delta)`."""

    id = "fedavg"
    number = 1
    linear = True

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        lambda_ = lambda_for(facts.eta_q24, sum(facts.weights))
        return MeanRule(facts.weights, lambda_)
