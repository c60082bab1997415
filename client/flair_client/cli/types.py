"""Kinds of arguments: durations, amounts, addresses, names; and how they are shown."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final

import click

from flair_client.errors import IdentifierInvalid
from flair_client.ids import Address, CommitId
from flair_client.names import check_name

LAMPORTS_PER_SOL: Final = 10**9
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(?:[0-9]{1,9}[smhdw])+|[0-9]{1,10}")
_SIZE: Final = re.compile(r"([0-9]{1,15})(?:([kKMGT])(i?)B|B)?")
_MAX_LAMPORTS: Final = 2**64 - 1


class Kind(click.ParamType[Any]):
    """Turns a text into a value; what it refuses is a usage error."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Gives the value of a text; other values have been read already."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except (IdentifierInvalid, ValueError) as exc:
            return self.fail(str(exc), param, ctx)


def parse_duration(text: str) -> int:
    """Reads `30d`, `12h`, `1h30m`, `90s`, or seconds; gives whole seconds.

    Raises:
        ValueError: the text is none of them.
    """
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a duration such as 30d, 12h or 90s")
    if text.isdigit():
        return int(text)
    parts = re.findall(r"([0-9]+)([smhdw])", text)
    return sum(int(count) * _UNIT_SECONDS[unit] for count, unit in parts)


def parse_sol(text: str) -> int:
    """Reads an amount of SOL, exact to the lamport; gives lamports.

    Raises:
        ValueError: not a positive number, or with a part of a lamport.
    """
    try:
        lamports = Decimal(text) * LAMPORTS_PER_SOL
    except InvalidOperation as exc:
        raise ValueError(f"{text!r} is not an amount of SOL") from exc
    whole = lamports.is_finite() and lamports == lamports.to_integral_value()
    if not whole or not 0 < lamports <= _MAX_LAMPORTS:
        raise ValueError(f"{text!r} is not a positive amount of whole lamports")
    return int(lamports)


def parse_size(text: str) -> int:
    """Reads `500MB`, `2GiB`, or bytes; gives whole bytes.

    Raises:
        ValueError: the text is none of them.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a size such as 500MB, 2GiB or 4096")
    count, prefix, binary = found.groups()
    step = 1024 if binary else 1000
    return int(int(count) * step ** " KMGT".index((prefix or " ").upper()))


def parse_number_by_name(text: str) -> tuple[str, int | float]:
    """Reads `f=2` or `tau=1e-3`.

    Raises:
        ValueError: not a name, an equals sign and a number.
    """
    name, _, number = text.partition("=")
    try:
        return name, int(number) if number.isdigit() else float(number)
    except ValueError as exc:
        raise ValueError(f"{text!r} is not a name and a number such as f=2") from exc


DURATION: Final = Kind("duration", parse_duration)
SOL: Final = Kind("sol", parse_sol)
NUMBER_BY_NAME: Final = Kind("name=number", parse_number_by_name)
ADDRESS: Final = Kind("address", Address.parse)
COMMIT_ID: Final = Kind("commit", CommitId.parse)
REPO_NAME: Final = Kind("name", partial(check_name, "repository name"))
BRANCH_NAME: Final = Kind("name", partial(check_name, "branch name"))
TAG_NAME: Final = Kind("name", partial(check_name, "tag name"))
WALLET_NAME: Final = Kind("name", partial(check_name, "wallet name"))
NETWORK_NAME: Final = Kind("name", partial(check_name, "network name"))


def counted(count: int, one: str, many: str | None = None) -> str:
    """Shows how many there are: `1 block`, `2 blocks`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def least_to_most(least: int, most: int) -> str:
    """Shows a range, and one number where it is one: `2 to 8`, `2`."""
    return f"{least}" if least == most else f"{least} to {most}"


def sol_text(lamports: int) -> str:
    """Shows lamports as SOL, exactly: `1.5 SOL`."""
    whole, rest = divmod(abs(lamports), LAMPORTS_PER_SOL)
    sign = "-" if lamports < 0 else ""
    decimals = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{sign}{whole}{decimals} SOL"


def duration_text(seconds: int) -> str:
    """Shows seconds: `30d`, `1h30m`, `0s`; parses to the same number."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def rough_duration_text(seconds: int) -> str:
    """Shows about how long something lasts: `2d3h`, `1h30m`, `9m`, `45s`."""
    for unit, kept in (("d", "h"), ("h", "m"), ("m", "m")):
        if seconds >= _UNIT_SECONDS[unit]:
            step = _UNIT_SECONDS[kept]
            return duration_text(seconds // step * step)
    return f"{max(seconds, 0)}s"


def local_time_text(unix_s: int) -> str:
    """Shows a moment by this machine's clock: `2026-01-31 13:00 CET`."""
    try:
        moment = datetime.fromtimestamp(unix_s, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return f"{unix_s} s"
    return f"{moment:%Y-%m-%d %H:%M %Z}"


def time_text(unix_s: int) -> str:
    """Shows a moment in UTC: `2026-01-31 12:00:00 UTC`."""
    try:
        moment = datetime.fromtimestamp(unix_s, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{unix_s} s"
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def votes_text(approvals: int, attestations: int) -> str | None:
    """Says who has to agree to a merge; None where nobody has."""
    parts = ["the owner's approval"] if approvals else []
    if attestations:
        parts.append(f"{attestations} attestation{'' if attestations == 1 else 's'}")
    return " and ".join(parts) or None
