"""What a recipe says of training steps that had noise: numbers, never an epsilon.

What they give away is counted by `privacy.accountant`, outside of the recipe's code.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from flair_client.errors import ObjectInvalid

MAX_STEPS: Final = 10**9
MIN_NOISE: Final = 1e-2
MAX_NOISE: Final = 1e6
_MIN_RATE: Final = 1e-12
_WHERE: Final = "noisy_steps"
_NUMBER: Final = r"[0-9.e+-]{1,25}"
_TEXT: Final = re.compile(
    rf"rdp, one row, dp-sgd noise ({_NUMBER}) rate ({_NUMBER}) steps ([0-9]{{1,10}})"
)


@dataclass(frozen=True, slots=True)
class NoisySteps:
    """Steps of DP-SGD (Abadi et al. 2016) over one data source.

    Attributes:
        noise_multiplier: deviation of the noise of a step by the length that each row's
            gradient is clipped to.
        sampling_rate: chance of each row to take part in a step, on its own.
        steps: how many were made.
    """

    noise_multiplier: float
    sampling_rate: float
    steps: int

    def __post_init__(self) -> None:
        for name, low, high in (
            ("noise_multiplier", MIN_NOISE, MAX_NOISE),
            ("sampling_rate", _MIN_RATE, 1.0),
        ):
            value = getattr(self, name)
            if type(value) not in (int, float) or not math.isfinite(value):
                raise ObjectInvalid(f"{_WHERE}.{name}", "is no finite number")
            if not low <= value <= high:
                reason = f"{value:g} is not in {low:g} to {high:g}"
                raise ObjectInvalid(f"{_WHERE}.{name}", reason)
        if type(self.steps) is not int or not 1 <= self.steps <= MAX_STEPS:
            reason = f"{self.steps!r:.30} is not in 1 to {MAX_STEPS}"
            raise ObjectInvalid(f"{_WHERE}.steps", reason)

    @property
    def text(self) -> str:
        """What a commit says of how its epsilon was counted."""
        return (
            f"rdp, one row, dp-sgd noise {float(self.noise_multiplier)!r} "
            f"rate {float(self.sampling_rate)!r} steps {self.steps}"
        )

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Reads what `text` gives; None where it is something else.

        Raises:
            ObjectInvalid: a number is out of its range.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        try:
            noise, rate = float(found[1]), float(found[2])
        except ValueError as exc:
            raise ObjectInvalid(_WHERE, "has a number that is none") from exc
        return cls(noise, rate, int(found[3]))

    @classmethod
    def load(cls, fields: object) -> Self | None:
        """Reads what `save` gives, of which nothing is trusted; None of None.

        Raises:
            ObjectInvalid: it is something else; names the field.
        """
        if fields is None:
            return None
        names = set(cls.__dataclass_fields__)
        if not isinstance(fields, Mapping) or set(fields) != names:
            raise ObjectInvalid(_WHERE, f"is no table of {', '.join(sorted(names))}")
        return cls(**fields)

    def save(self) -> dict[str, Any]:
        """Gives it as a table for JSON."""
        return asdict(self)
