"""Krum: the update closest to its neighbours (Blanchard et al. 2017).

The score of an update is the sum of its squared distances to the n - f - 2 updates that
are closest to it. Distances are exact integers; equal scores go to the lower address.
"""

from collections.abc import Mapping

from flair_client.arithmetic import divide_half_even
from flair_client.errors import TooFewUpdates
from flair_client.strategies.base import Distances, Facts, Plain, Rule
from flair_client.strategies.robust import ATTACKERS
from flair_client.strategies.sums import FactorRule


def require_krum(strategy: str, n_updates: int, params: Mapping[str, int]) -> None:
    """Refuses fewer than 2f + 3 updates.

    Raises:
        TooFewUpdates: names the bound.
    """
    f = params["f"]
    if n_updates < 2 * f + 3:
        raise TooFewUpdates(strategy, n_updates, 2 * f + 3, f"2f + 3 for f = {f}")


def ranking(distances_sq: Distances, f: int) -> list[int]:
    """The updates' positions, best score first."""
    n_closest = len(distances_sq) - f - 2
    scores = []
    for i, row in enumerate(distances_sq):
        others = sorted(value for j, value in enumerate(row) if j != i)
        scores.append((sum(others[:n_closest]), i))
    return [i for _, i in sorted(scores)]


class Krum(Plain):
    """`M' = M + eta * best`; holds for n >= 2f + 3."""

    id = "krum"
    number = 9
    parameters = (ATTACKERS,)
    needs_distances = True

    def require(self, n_updates: int, params: Mapping[str, int]) -> None:
        """As `Strategy.require`."""
        require_krum(self.id, n_updates, params)

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        return mean_of_best(facts, 1)


def mean_of_best(facts: Facts, n_kept: int) -> Rule:
    """Eta times the mean of so many updates, those with the best scores."""
    best = set(ranking(facts.distances_sq, facts.params["f"])[:n_kept])
    factor = divide_half_even(facts.eta_q24, n_kept)
    return FactorRule([factor if i in best else 0 for i in range(facts.n_updates)])
