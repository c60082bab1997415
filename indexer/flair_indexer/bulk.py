"""Writes many rows at once, with as little as possible done to each value.

What SQLAlchemy does to a row of parameters takes longer than the database. SQLite gets
plain tuples; PostgreSQL one array a column, in one statement.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    TypeDecorator,
)

_POSTGRES_TYPES: Final[tuple[tuple[type[Any], str], ...]] = (
    (LargeBinary, "bytea"),
    (BigInteger, "bigint"),
    (Integer, "integer"),
    (Boolean, "boolean"),
    (Float, "double precision"),
    (String, "text"),
)


def insert_many(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    replaces: bool,
) -> None:
    """Writes rows.

    Args:
        connection: of a unit of work.
        table: with a key.
        rows: all with the same names. Of one key at most one, where it `replaces`.
        replaces: whether a row that is there is replaced, or stays as it is.
    """
    if not rows:
        return
    is_sqlite = connection.dialect.name == "sqlite"
    insert = _insert(table, tuple(rows[0]), is_sqlite=is_sqlite, replaces=replaces)
    columns = [[row[name] for row in rows] for name in rows[0]]
    for place, convert in insert.converted:
        columns[place] = [convert(value) for value in columns[place]]
    if is_sqlite:
        connection.exec_driver_sql(insert.sql, list(zip(*columns, strict=True)))
    else:
        connection.exec_driver_sql(insert.sql, tuple(columns))


@dataclass(frozen=True, slots=True)
class _Insert:
    """A statement, and which of its columns are not kept as they are."""

    sql: str
    converted: tuple[tuple[int, Callable[[Any], Any]], ...]


@cache
def _insert(
    table: Table, names: tuple[str, ...], *, is_sqlite: bool, replaces: bool
) -> _Insert:
    columns = [table.c[name] for name in names]
    into = f"INSERT INTO {table.name} ({', '.join(map(_quoted, names))})"
    if is_sqlite:
        source = f"VALUES ({', '.join('?' * len(names))})"
    else:
        arrays = ", ".join(f"%b::{_postgres_type(one)}[]" for one in columns)
        # In binary form: as text each value would be searched for what to escape.
        source = f"SELECT * FROM unnest({arrays})"  # noqa: S608 (our own names)
    converted = tuple(
        (place, _converter(one))
        for place, one in enumerate(columns)
        if isinstance(one.type, TypeDecorator)
    )
    return _Insert(f"{into} {source} {_on_conflict(table, names, replaces)}", converted)


def _on_conflict(table: Table, names: tuple[str, ...], replaces: bool) -> str:
    keys = [column.name for column in table.primary_key]
    others = [
        f"{_quoted(name)} = excluded.{_quoted(name)}"
        for name in names
        if name not in keys
    ]
    if not replaces or not others:
        return "ON CONFLICT DO NOTHING"
    found = ", ".join(map(_quoted, keys))
    return f"ON CONFLICT ({found}) DO UPDATE SET {', '.join(others)}"


def _quoted(name: str) -> str:
    # Some are words of SQL, as `outer`.
    return f'"{name}"'


def _converter(column: Column[Any]) -> Callable[[Any], Any]:
    kind: Any = column.type
    return lambda value: kind.process_bind_param(value, None)


def _postgres_type(column: Column[Any]) -> str:
    kind = column.type
    plain = kind.impl if isinstance(kind, TypeDecorator) else kind
    return next(name for one, name in _POSTGRES_TYPES if isinstance(plain, one))
