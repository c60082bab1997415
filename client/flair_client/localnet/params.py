"""Reads the positional parameters of a request."""

from dataclasses import dataclass
from typing import Any, Final

import base58

from flair_client.errors import IdentifierInvalid
from flair_client.ids import Address
from flair_client.localnet.faults import MIN_CONTEXT_SLOT, RpcFault, invalid_params

SIGNATURE_SIZE: Final = 64
_SIGNATURE_TEXT: Final = 90
_LEVELS: Final = ("processed", "confirmed", "finalized")
_U64_MAX: Final = 2**64 - 1
_BASE58: Final = frozenset(base58.BITCOIN_ALPHABET.decode())
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Params:
    """A request's parameters, each checked when it is asked for."""

    values: list[Any]

    def get(self, index: int) -> Any:
        """Gives a parameter, or None where it is left out."""
        return self.values[index] if index < len(self.values) else None

    def must(self, index: int) -> Any:
        """Gives a parameter that may not be left out.

        Raises:
            RpcFault: it is left out.
        """
        if index >= len(self.values):
            raise invalid_params(
                f"`params` should have at least {index + 1} argument(s)"
            )
        return self.values[index]

    def address(self, index: int) -> Address:
        """Gives an address.

        Raises:
            RpcFault: it is none.
        """
        return parse_address(self.must(index))

    def text(self, index: int) -> str:
        """Gives a string.

        Raises:
            RpcFault: it is none.
        """
        value = self.must(index)
        if not isinstance(value, str):
            raise _wrong_type(value, "a string")
        return value

    def whole(self, index: int) -> int:
        """Gives an unsigned 64-bit number.

        Raises:
            RpcFault: it is none.
        """
        value = self.must(index)
        if type(value) is not int or not 0 <= value <= _U64_MAX:
            raise _wrong_type(value, "u64")
        return value

    def array(self, index: int, limit: int) -> list[Any]:
        """Gives an array of at most `limit` entries.

        Raises:
            RpcFault: it is none, or longer.
        """
        value = self.must(index)
        if not isinstance(value, list):
            raise _wrong_type(value, "a sequence")
        if len(value) > limit:
            raise invalid_params(f"Too many inputs provided; max {limit}")
        return value

    def options(self, index: int) -> dict[str, Any]:
        """Gives the options object, empty where it is left out.

        Raises:
            RpcFault: it is something else, or names an unknown commitment level.
        """
        value = self.get(index)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise _wrong_type(value, "an object")
        level = value.get("commitment")
        if level is not None and level not in _LEVELS:
            raise invalid_params(f"Invalid params: unknown commitment {level!r}.")
        return value


def _wrong_type(value: Any, wanted: str) -> RpcFault:
    shown = repr(value)[:_SHOWN]
    return invalid_params(f"Invalid params: invalid value {shown}, expected {wanted}.")


def parse_address(value: Any) -> Address:
    """Reads an address.

    Raises:
        RpcFault: it is none.
    """
    if not isinstance(value, str):
        raise _wrong_type(value, "a string")
    try:
        return Address.parse(value)
    except IdentifierInvalid as exc:
        is_base58 = bool(value) and set(value) <= _BASE58
        reason = "WrongSize" if is_base58 else "Invalid"
        raise invalid_params(f"Invalid param: {reason}") from exc


def parse_signature(value: Any) -> bytes:
    """Reads a signature in base58.

    Raises:
        RpcFault: it is none.
    """
    if not isinstance(value, str):
        raise _wrong_type(value, "a string")
    if len(value) > _SIGNATURE_TEXT:
        raise invalid_params("Invalid param: WrongSize")
    try:
        raw = base58.b58decode(value)
    except ValueError as exc:
        raise invalid_params("Invalid param: Invalid") from exc
    if len(raw) != SIGNATURE_SIZE:
        raise invalid_params("Invalid param: WrongSize")
    return raw


def option_whole(options: dict[str, Any], name: str, default: int) -> int:
    """Gives an unsigned number among the options.

    Raises:
        RpcFault: it is something else.
    """
    value = options.get(name)
    if value is None:
        return default
    if type(value) is not int or not 0 <= value <= _U64_MAX:
        raise _wrong_type(value, "u64")
    return value


def option_flag(options: dict[str, Any], name: str) -> bool:
    """Gives a truth value among the options; false where it is left out.

    Raises:
        RpcFault: it is something else.
    """
    value = options.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _wrong_type(value, "a boolean")
    return value


def check_context_slot(options: dict[str, Any], slot: int) -> None:
    """Refuses a request that may only be answered from a later slot.

    Raises:
        RpcFault: the slot is not reached.
    """
    if option_whole(options, "minContextSlot", 0) > slot:
        raise RpcFault(
            MIN_CONTEXT_SLOT,
            "Minimum context slot has not been reached",
            {"contextSlot": slot},
        )
