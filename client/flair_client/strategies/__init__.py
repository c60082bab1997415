"""How updates are combined: one strategy per file, found by name or number."""

from flair_client.errors import UsageError
from flair_client.strategies.base import Facts, Rule, Strategy, lambda_for
from flair_client.strategies.choice import Choice, StrategyPolicy, choose
from flair_client.strategies.fedadagrad import FedAdagrad
from flair_client.strategies.fedadam import FedAdam
from flair_client.strategies.fedavg import FedAvg
from flair_client.strategies.fedavgm import FedAvgM
from flair_client.strategies.fedprox import FedProx
from flair_client.strategies.fedyogi import FedYogi
from flair_client.strategies.geometric_median import GeometricMedian
from flair_client.strategies.krum import Krum
from flair_client.strategies.median import CoordinateMedian
from flair_client.strategies.multi_krum import MultiKrum
from flair_client.strategies.norm_clipping import NormClipping
from flair_client.strategies.scaffold import Scaffold
from flair_client.strategies.trimmed_mean import TrimmedMean

STRATEGIES: dict[str, Strategy] = {
    strategy.id: strategy
    for strategy in (
        FedAvg(),
        FedProx(),
        FedAvgM(),
        FedAdam(),
        FedYogi(),
        FedAdagrad(),
        CoordinateMedian(),
        TrimmedMean(),
        Krum(),
        MultiKrum(),
        GeometricMedian(),
        NormClipping(),
        Scaffold(),
    )
}


def get_strategy(which: int | str) -> Strategy:
    """The strategy that a policy names by number or a commit by id.

    Raises:
        UsageError: there is none.
    """
    for strategy in STRATEGIES.values():
        if which in (strategy.number, strategy.id):
            return strategy
    known = ", ".join(STRATEGIES)
    raise UsageError(f"there is no strategy {which!r}; there are: {known}")


def choice_of(policy: StrategyPolicy) -> Choice:
    """The strategy that a policy chose, with its parameters.

    Raises:
        ObjectInvalid: there is no such strategy, or its parameters cannot be.
    """
    return choose(STRATEGIES, policy)


__all__ = [
    "STRATEGIES",
    "Choice",
    "Facts",
    "FedAvg",
    "Rule",
    "Strategy",
    "StrategyPolicy",
    "choice_of",
    "get_strategy",
    "lambda_for",
]
