"""How much an update is clipped and how much noise it gets, and both done.

The policy bounds the norm of what leaves, noise included. So the update is clipped to a
smaller norm first, which leaves room for the noise; in the rare case that this is not
enough, what has noise already is scaled down, which gives nothing away.
"""

import math
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np

from flair_client.arithmetic import Int16Array
from flair_client.delta_integers import (
    DeltaPolicy,
    count_values,
    int_range,
    shrink_to_norm,
    shrunk,
)
from flair_client.errors import Refused
from flair_client.objects import Privacy
from flair_client.privacy.accountant import (
    ACCOUNTANT,
    epsilon_of,
    noise_multiplier_for,
)
from flair_client.privacy.noise import DiscreteGaussian, noise_of

# Deviations of noise that a single value, and beyond the expected norm a whole update,
# has room for: more than that is cut, about once in 500 million values and in 100
# updates.
_VALUE_ROOM: Final = 6.0
_NORM_ROOM: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisePlan:
    """How an update is protected.

    Attributes:
        clip_sq: squared norm that its integers are clipped to, in squared delta units.
        noise_multiplier: deviation of the noise by the clipping norm.
        epsilon, delta: privacy loss of this one update.
    """

    clip_sq: int
    noise_multiplier: float
    epsilon: float
    delta: float

    @property
    def sigma(self) -> float:
        """Deviation of the noise in units of the delta."""
        return self.noise_multiplier * math.sqrt(self.clip_sq)

    def statement(self, mode: str, scale_exp: int) -> Privacy:
        """What the commit says about it."""
        return Privacy(
            mode=mode,
            clip=math.sqrt(self.clip_sq) * 2.0**scale_exp,
            noise_multiplier=self.noise_multiplier,
            epsilon=self.epsilon,
            delta=self.delta,
            accountant=ACCOUNTANT,
        )


@dataclass(frozen=True, slots=True)
class ClippedPolicy:
    """A policy with a smaller norm bound, as `delta_integers` asks for it."""

    bits: int
    scale_exp: int
    n_params: int
    norm_bound_sq: int


def plan_noise(
    policy: DeltaPolicy, n_values: int, *, epsilon: float, delta: float
) -> NoisePlan:
    """Finds clip and noise for one update.

    Args:
        policy: bits, scale and norm bound of what leaves.
        n_values: how many values the round sends; the others are zero in every update.
        epsilon: privacy loss that this update may have.
        delta: probability that it is larger.

    Raises:
        Refused: the policy's bound has no room for so much noise.
        UsageError: epsilon or delta are out of their range.
        ExtraMissing: the accountant's library is not installed.
    """
    multiplier = noise_multiplier_for(epsilon, delta)
    bound = math.sqrt(policy.norm_bound_sq)
    room = bound / (1 + multiplier * (math.sqrt(n_values) + _NORM_ROOM))
    value_room = int_range(policy.bits)[1] / (1 + _VALUE_ROOM * multiplier)
    clip_sq = math.floor(min(room, value_room) ** 2)
    if clip_sq < 1:
        raise Refused(
            f"epsilon {epsilon:g} needs noise of {multiplier:.3g} times the update's "
            f"length over {n_values} values; the policy's bound has no room for it"
        )
    return NoisePlan(
        clip_sq=clip_sq,
        noise_multiplier=multiplier,
        epsilon=epsilon_of((multiplier,), delta),
        delta=delta,
    )


class NoisyIntegers(Mapping[str, Int16Array]):
    """Clipped integers by tensor name, with noise, within range and norm of a policy.

    Each tensor is made when it is asked for, with the same noise each time.
    """

    def __init__(
        self,
        clipped: Mapping[str, Int16Array],
        sent: AbstractSet[str],
        policy: DeltaPolicy,
        plan: NoisePlan,
        key: bytes,
    ) -> None:
        """Goes through all tensors once to see whether they stay within the norm.

        Args:
            clipped: integers of all shared tensors, within `plan.clip_sq`.
            sent: names of those that this round sends; only they get noise, the others
                are zero whatever the data.
            policy: bits and norm bound of what leaves.
            plan: how much noise.
            key: secret, of this update alone.
        """
        self._clipped = clipped
        self._sent = sent
        self._bits = policy.bits
        self._gaussian = DiscreteGaussian(plan.sigma)
        self._key = key
        counts = np.zeros(1 << 16, np.int64)
        for name in clipped:
            counts += count_values(self._noisy(name))
        self._shrink = shrink_to_norm(counts, policy.norm_bound_sq)

    def __getitem__(self, name: str) -> Int16Array:
        return shrunk(self._noisy(name), self._shrink)

    def __iter__(self) -> Iterator[str]:
        return iter(self._clipped)

    def __len__(self) -> int:
        return len(self._clipped)

    def _noisy(self, name: str) -> Int16Array:
        values = self._clipped[name]
        if name not in self._sent:
            return values
        noise = noise_of(self._gaussian, self._key, name, values.shape)
        noise += values
        return np.clip(noise, *int_range(self._bits)).astype(np.int16)
