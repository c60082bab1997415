"""Column types whose values are the same in SQLite and PostgreSQL."""

from typing import Any

from sqlalchemy import BigInteger, LargeBinary, Text, TypeDecorator
from sqlalchemy.engine import Dialect

_SIGN = 1 << 63
_WRAP = 1 << 64


class U64(TypeDecorator[int]):
    """An unsigned 64-bit number, whose upper half is kept as negative numbers.

    The chain lets strangers choose such numbers: none may stop the indexer. They are
    never compared or added up in SQL.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """As the database keeps it."""
        del dialect
        return value - _WRAP if value is not None and value >= _SIGN else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:
        """As it was."""
        del dialect
        return value + _WRAP if value is not None and value < 0 else value


class PlainText(TypeDecorator[str]):
    """Text by strangers: the character that PostgreSQL does not keep is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """As the database keeps it."""
        del dialect
        return (
            None if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        )


def blob(size: int) -> LargeBinary:
    """Gives the type of so many bytes."""
    return LargeBinary(size)


def shown(value: Any) -> bytes:
    """Gives the bytes by which two tables are compared.

    Raises:
        TypeError: no column holds such a value.
    """
    match value:
        case None:
            return b"-"
        case bool():
            return b"b1" if value else b"b0"
        case int():
            return b"i%d" % value
        case float():
            return b"f" + value.hex().encode()
        case str():
            return b"s" + value.encode()
        case bytes() | memoryview():
            return b"x" + bytes(value)
    raise TypeError(f"no column holds a {type(value).__name__}")
