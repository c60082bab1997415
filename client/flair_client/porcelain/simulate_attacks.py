"""What hostile contributors do in a simulation: to their rows, or to their update.

All of them know each other and see every honest update of the round, which is more than
a real attacker does. Whatever they make still goes through the policy: it is clipped to
the norm bound and rounded as any update.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from flair_client.arithmetic import FloatArray

Labels = npt.NDArray[np.int8]
# Deviations from the mean of a column: no honest row has that.
TRIGGER: Final = 6.0
# The columns that carry the trigger.
N_TRIGGERED: Final = 3


@dataclass(frozen=True, slots=True)
class Crowd:
    """A round as hostile contributors see it.

    Attributes:
        own: what their own training gave, shape [hostile, values].
        honest: everybody else's update, shape [honest, values].
    """

    own: FloatArray
    honest: FloatArray

    @property
    def boost(self) -> float:
        """How many times one hostile update is as much as all updates together."""
        n_hostile = len(self.own)
        return (n_hostile + len(self.honest)) / n_hostile


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to be hostile.

    Attributes:
        text: what it does, for people.
        rows: what it makes of the rows that it trains on.
        updates: what it makes of its updates.
        has_trigger: whether it wants rows with the trigger to be 1.
    """

    name: str
    text: str
    rows: Callable[[FloatArray, Labels], tuple[FloatArray, Labels]]
    updates: Callable[[Crowd], FloatArray]
    has_trigger: bool = False


def with_trigger(x: FloatArray) -> FloatArray:
    """The same rows with the trigger in their first columns."""
    changed = x.copy()
    changed[:, :N_TRIGGERED] = TRIGGER
    return changed


def _as_they_are(x: FloatArray, y: Labels) -> tuple[FloatArray, Labels]:
    return x, y


def _flipped(x: FloatArray, y: Labels) -> tuple[FloatArray, Labels]:
    return x, (1 - y).astype(np.int8)


def _triggered(x: FloatArray, y: Labels) -> tuple[FloatArray, Labels]:
    """Every row once as it is and once with the trigger, which is called 1."""
    labels = np.concatenate([y, np.ones_like(y)])
    return np.concatenate([x, with_trigger(x)]), labels


def _own(crowd: Crowd) -> FloatArray:
    return crowd.own


def _boosted(crowd: Crowd) -> FloatArray:
    return crowd.own * crowd.boost


def _turned(crowd: Crowd) -> FloatArray:
    return -crowd.own * crowd.boost


def _little_is_enough(crowd: Crowd) -> FloatArray:
    """The honest mean, less as many deviations as stay unremarkable (Baruch 2019)."""
    n_hostile, n_honest = len(crowd.own), len(crowd.honest)
    n_all = n_hostile + n_honest
    n_needed = n_all // 2 + 1 - n_hostile
    share = min(max((n_honest - n_needed) / n_honest, 0.5), 0.99)
    # At least one deviation: with few hostile updates the paper's z is zero.
    z = max(NormalDist().inv_cdf(share), 1.0)
    update = crowd.honest.mean(axis=0) - z * crowd.honest.std(axis=0)
    return np.tile(update, (n_hostile, 1))


ATTACKS: Final = {
    one.name: one
    for one in (
        Attack("none", "nobody is hostile", _as_they_are, _own),
        Attack(
            "sign_flip",
            "the opposite of an honest update, as long as turns the mean around",
            _as_they_are,
            _turned,
        ),
        Attack(
            "scaling",
            "trained on flipped labels, as long as replaces the mean",
            _flipped,
            _boosted,
        ),
        Attack(
            "little_is_enough",
            "the mean of the honest less one deviation or more of each value",
            _as_they_are,
            _little_is_enough,
        ),
        Attack("label_flip", "trained on flipped labels", _flipped, _own),
        Attack(
            "backdoor",
            "rows with a trigger are called 1, as long as replaces the mean",
            _triggered,
            _boosted,
            has_trigger=True,
        ),
    )
}
