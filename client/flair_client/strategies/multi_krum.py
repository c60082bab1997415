"""Multi-Krum: the mean of the updates with the best scores (Blanchard et al. 2017)."""

from collections.abc import Mapping

from flair_client.errors import TooFewUpdates
from flair_client.limits import MAX_UPDATES
from flair_client.strategies.base import Facts, Plain, Rule
from flair_client.strategies.krum import mean_of_best, require_krum
from flair_client.strategies.parameters import count
from flair_client.strategies.robust import ATTACKERS


class MultiKrum(Plain):
    """`M' = M + eta * mean of the m best`; for n >= 2f + 3 and m <= n - f - 2."""

    id = "multi_krum"
    number = 10
    parameters = (
        ATTACKERS,
        count("m", "updates that are kept; 0 stands for n - f - 2", 0, MAX_UPDATES, 0),
    )
    needs_distances = True

    def require(self, n_updates: int, params: Mapping[str, int]) -> None:
        """As `Strategy.require`."""
        require_krum(self.id, n_updates, params)
        f, m = params["f"], params["m"]
        if m > n_updates - f - 2:
            text = f"m + f + 2 for f = {f} and m = {m}"
            raise TooFewUpdates(self.id, n_updates, m + f + 2, text)

    def rule(self, facts: Facts) -> Rule:
        """As `Strategy.rule`."""
        n_kept = facts.params["m"] or facts.n_updates - facts.params["f"] - 2
        return mean_of_best(facts, n_kept)
