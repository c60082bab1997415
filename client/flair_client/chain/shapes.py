"""Checks the shape of an RPC's answers: JSON in, plain values out.

A node that errs or lies gives one sentence and never a wrong value.
"""

import base64
import binascii
from typing import Any, Final

from flair_client.chain.accounts import RawAccount
from flair_client.errors import AccountInvalid, IdentifierInvalid, RpcUnavailable
from flair_client.ids import Address

_U64_MAX: Final = 2**64 - 1
_ACCOUNT_LIMIT: Final = 10 * 1024 * 1024


def malformed(method: str, what: str) -> RpcUnavailable:
    """Gives the error for an answer of the wrong shape."""
    return RpcUnavailable(f"{method}: the answer has no valid {what}")


def whole(method: str, value: Any, what: str) -> int:
    """Gives an unsigned 64-bit number.

    Raises:
        RpcUnavailable: it is anything else.
    """
    if type(value) is not int or not 0 <= value <= _U64_MAX:
        raise malformed(method, what)
    return value


def text(method: str, value: Any, what: str, limit: int = 1000) -> str:
    """Gives a string of limited length.

    Raises:
        RpcUnavailable: it is anything else.
    """
    if not isinstance(value, str) or len(value) > limit:
        raise malformed(method, what)
    return value


def mapping(method: str, value: Any, what: str) -> dict[str, Any]:
    """Gives an object.

    Raises:
        RpcUnavailable: it is anything else.
    """
    if not isinstance(value, dict):
        raise malformed(method, what)
    return value


def sequence(method: str, value: Any, what: str) -> list[Any]:
    """Gives an array.

    Raises:
        RpcUnavailable: it is anything else.
    """
    if not isinstance(value, list):
        raise malformed(method, what)
    return value


def context_value(method: str, result: Any) -> Any:
    """Gives the value of an answer that comes with the slot it holds for.

    Raises:
        RpcUnavailable: there is no such value.
    """
    result = mapping(method, result, "result")
    context = mapping(method, result.get("context"), "context")
    whole(method, context.get("slot"), "slot")
    if "value" not in result:
        raise malformed(method, "value")
    return result["value"]


def address(method: str, value: Any, what: str) -> Address:
    """Gives an address.

    Raises:
        RpcUnavailable: it is anything else.
    """
    try:
        return Address.parse(text(method, value, what))
    except IdentifierInvalid as exc:
        raise malformed(method, what) from exc


def account(method: str, where: Address, value: Any) -> RawAccount:
    """Gives an account that was sent in base64.

    Raises:
        RpcUnavailable: the answer has another shape.
        AccountInvalid: its data is not base64, or not as long as it says.
    """
    value = mapping(method, value, "account")
    data = sequence(method, value.get("data"), "account data")
    if len(data) != 2 or data[1] != "base64" or not isinstance(data[0], str):
        raise malformed(method, "account data in base64")
    if len(data[0]) > 2 * _ACCOUNT_LIMIT:
        raise AccountInvalid(where, "longer than an account can be")
    try:
        raw = base64.b64decode(data[0], validate=True)
    except (binascii.Error, ValueError) as exc:
        raise AccountInvalid(where, "its data is not base64") from exc
    # Older nodes leave `space` out.
    if value.get("space", len(raw)) != len(raw):
        raise AccountInvalid(where, "its data is not as long as the RPC says")
    return RawAccount(
        address=where,
        owner=address(method, value.get("owner"), "owner"),
        lamports=whole(method, value.get("lamports"), "lamports"),
        data=raw,
        executable=value.get("executable") is True,
    )
