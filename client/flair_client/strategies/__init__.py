"""How updates are combined: one strategy per file, found by name or number."""

from flair_client.errors import UsageError
from flair_client.strategies.base import Strategy, WeightedDelta, lambda_for
from flair_client.strategies.fedavg import FedAvg

STRATEGIES: dict[str, Strategy] = {strategy.id: strategy for strategy in (FedAvg(),)}


def get_strategy(which: int | str) -> Strategy:
    """The strategy that a policy names by number or a commit by id.

    Raises:
        UsageError: there is none.
    """
    for strategy in STRATEGIES.values():
        if which in (strategy.number, strategy.id):
            return strategy
    raise UsageError(f"there is no strategy {which!r}")


__all__ = [
    "STRATEGIES",
    "FedAvg",
    "Strategy",
    "WeightedDelta",
    "get_strategy",
    "lambda_for",
]
