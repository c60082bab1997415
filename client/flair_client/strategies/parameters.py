"""Parameters of strategies: numbers in a recipe, integers in a policy and a commit.

A policy has 64 bytes for them: the n-th parameter is an unsigned 64-bit integer, little
endian, from byte 8n on; what is left is zero. Real numbers count units of 2^-48.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from flair_client.errors import ObjectInvalid, UsageError

ONE_Q48: Final = 1 << 48
_N_BYTES: Final = 64
_SLOT: Final = 8


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that a policy can set.

    Attributes:
        name: in a recipe and on the command line.
        text: what it is, for people.
        low: smallest value, as it is stored.
        high: largest value, as it is stored.
        default: as it is stored; None where it must be given.
        is_count: a whole number, stored as it is; others count units of 2^-48.
    """

    name: str
    text: str
    low: int
    high: int
    default: int | None
    is_count: bool = False

    @property
    def key(self) -> str:
        """Its name in commits, which says the unit."""
        return self.name if self.is_count else f"{self.name}_q48"

    def limits(self) -> str:
        """The values that it can have, in words."""
        if self.is_count:
            return f"a whole number from {self.low} to {self.high}"
        return f"a number from {self.low / ONE_Q48:.6g} to {self.high / ONE_Q48:.6g}"

    def shown(self, stored: int) -> int | float:
        """The number as people write it."""
        return stored if self.is_count else stored / ONE_Q48


def count(
    name: str, text: str, low: int, high: int, default: int | None = None
) -> Parameter:
    """A whole number."""
    return Parameter(name, text, low, high, default, is_count=True)


def real(
    name: str, text: str, low: int, high: int, default: str | None = None
) -> Parameter:
    """A real number; `low` and `high` as they are stored, the default as written."""
    stored = None if default is None else round(Fraction(default) * ONE_Q48)
    return Parameter(name, text, low, high, stored)


def from_numbers(
    strategy: str, parameters: Sequence[Parameter], given: Mapping[str, Any]
) -> dict[str, int]:
    """What people wrote, with defaults, as it is stored: by `Parameter.key`.

    Raises:
        UsageError: an unknown name, a missing one, or a value that cannot be.
    """
    names = [one.name for one in parameters]
    for name in given:
        if name not in names:
            known = ", ".join(names) or "none"
            raise UsageError(
                f"strategy {strategy!r} has no parameter {name!r}; it has: {known}"
            )
    return {one.key: _stored(strategy, one, given.get(one.name)) for one in parameters}


def _stored(strategy: str, parameter: Parameter, value: Any) -> int:
    where = f"parameter {parameter.name!r} of strategy {strategy!r}"
    if value is None:
        if parameter.default is None:
            raise UsageError(f"{where} is missing: {parameter.text}")
        return parameter.default
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and (isinstance(value, int) or not parameter.is_count):
        try:
            unit = 1 if parameter.is_count else ONE_Q48
            stored = round(Fraction(value) * unit)
        except (ValueError, OverflowError):
            stored = -1
        if parameter.low <= stored <= parameter.high:
            return stored
    raise UsageError(f"{where} is {parameter.limits()}")


def pack(parameters: Sequence[Parameter], values: Mapping[str, int]) -> bytes:
    """The 64 bytes of a policy."""
    packed = b"".join(values[one.key].to_bytes(_SLOT, "little") for one in parameters)
    return packed.ljust(_N_BYTES, b"\0")


def unpack(parameters: Sequence[Parameter], packed: bytes) -> dict[str, int]:
    """What a policy's 64 bytes say, by `Parameter.key`.

    Raises:
        ObjectInvalid: a value that the parameter cannot have, or bytes that are none.
    """
    path = "policy.strategy_params"
    used = len(parameters) * _SLOT
    if any(packed[used:]):
        raise ObjectInvalid(path, "bytes behind the last parameter are not zero")
    values = {}
    for i, one in enumerate(parameters):
        value = int.from_bytes(packed[i * _SLOT : (i + 1) * _SLOT], "little")
        if not one.low <= value <= one.high:
            raise ObjectInvalid(f"{path}.{one.name}", f"must be {one.limits()}")
        values[one.key] = value
    return values
