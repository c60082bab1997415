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
    is_sqlite = _is_sqlite(connection)
    insert = _insert(table, tuple(rows[0]), is_sqlite=is_sqlite, replaces=replaces)
    columns = [[row[name] for row in rows] for name in rows[0]]
    _execute(connection, insert, columns)


def update_many(
    connection: Connection,
    table: Table,
    changes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> None:
    """Gives rows other values.

    Args:
        connection: of a unit of work.
        table: whose rows.
        changes: which rows, by values that they have, and the new values; all with the
            same names. No row is named twice.
    """
    if not changes:
        return
    first_where, first_values = changes[0]
    where, names = tuple(first_where), tuple(first_values)
    update = _update(table, where, names, is_sqlite=_is_sqlite(connection))
    columns = [[values[name] for _, values in changes] for name in names]
    columns += [[found[name] for found, _ in changes] for name in where]
    _execute(connection, update, columns)


def delete_many(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Removes rows, named by values that they have; all with the same names."""
    if not rows:
        return
    where = tuple(rows[0])
    delete = _delete(table, where, is_sqlite=_is_sqlite(connection))
    _execute(connection, delete, [[row[name] for row in rows] for name in where])


def select_many(
    connection: Connection, table: Table, names: Sequence[str], values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Gives columns of the rows whose first one is among `values`.

    Args:
        connection: of a unit of work.
        table: whose rows; none of the columns is one that is not kept as it is.
        names: the columns.
        values: not more than a statement takes.
    """
    if not values:
        return []
    columns = ", ".join(map(_quoted, names))
    found = f"SELECT {columns} FROM {table.name} WHERE {_quoted(names[0])}"  # noqa: S608
    if _is_sqlite(connection):
        sql = f"{found} IN ({', '.join('?' * len(values))})"
        return [tuple(row) for row in connection.exec_driver_sql(sql, tuple(values))]
    sql = f"{found} = ANY(%b::{_postgres_type(table.c[names[0]])}[])"
    return [tuple(row) for row in connection.exec_driver_sql(sql, (list(values),))]


@cache
def key_names(table: Table) -> tuple[str, ...]:
    """Gives the names of the columns of a table's key."""
    return tuple(column.name for column in table.primary_key)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _execute(
    connection: Connection, statement: "_Statement", columns: list[list[Any]]
) -> None:
    for place, convert in statement.converted:
        columns[place] = [convert(value) for value in columns[place]]
    if _is_sqlite(connection):
        rows = list(zip(*columns, strict=True))
        connection.exec_driver_sql(statement.sql, rows)
    else:
        connection.exec_driver_sql(statement.sql, tuple(columns))


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement, and which of its columns are not kept as they are."""

    sql: str
    converted: tuple[tuple[int, Callable[[Any], Any]], ...]


@cache
def _insert(
    table: Table, names: tuple[str, ...], *, is_sqlite: bool, replaces: bool
) -> _Statement:
    columns = [table.c[name] for name in names]
    into = f"INSERT INTO {table.name} ({', '.join(map(_quoted, names))})"
    if is_sqlite:
        source = f"VALUES ({', '.join('?' * len(names))})"
    else:
        source = f"SELECT * FROM {_unnest(columns)}"  # noqa: S608 (our own names)
    sql = f"{into} {source} {_on_conflict(table, names, replaces)}"
    return _Statement(sql, _converted(columns))


@cache
def _update(
    table: Table, where: tuple[str, ...], names: tuple[str, ...], *, is_sqlite: bool
) -> _Statement:
    columns = [table.c[name] for name in (*names, *where)]
    if is_sqlite:
        values = ", ".join(f"{_quoted(name)} = ?" for name in names)
        sql = f"UPDATE {table.name} SET {values} WHERE {_placed(where)}"  # noqa: S608
    else:
        # A column may be among both, as a state that was and one that is to be.
        new = [f"new_{name}" for name in names]
        old = [f"old_{name}" for name in where]
        values = ", ".join(
            f"{_quoted(name)} = v.{_quoted(one)}"
            for name, one in zip(names, new, strict=True)
        )
        source = f"{_unnest(columns)} AS v({', '.join(map(_quoted, new + old))})"
        found = _joined(table, where, old)
        sql = f"UPDATE {table.name} SET {values} FROM {source} WHERE {found}"  # noqa: S608
    return _Statement(sql, _converted(columns))


@cache
def _delete(table: Table, where: tuple[str, ...], *, is_sqlite: bool) -> _Statement:
    columns = [table.c[name] for name in where]
    if is_sqlite:
        sql = f"DELETE FROM {table.name} WHERE {_placed(where)}"  # noqa: S608
    else:
        source = f"{_unnest(columns)} AS v({', '.join(map(_quoted, where))})"
        found = _joined(table, where, list(where))
        sql = f"DELETE FROM {table.name} USING {source} WHERE {found}"  # noqa: S608
    return _Statement(sql, _converted(columns))


def _placed(where: Sequence[str]) -> str:
    return " AND ".join(f"{_quoted(name)} = ?" for name in where)


def _joined(table: Table, where: Sequence[str], others: Sequence[str]) -> str:
    return " AND ".join(
        f"{table.name}.{_quoted(name)} = v.{_quoted(other)}"
        for name, other in zip(where, others, strict=True)
    )


def _unnest(columns: Sequence[Column[Any]]) -> str:
    """One array a column, in binary form: as text each value would be searched."""
    return f"unnest({', '.join(f'%b::{_postgres_type(one)}[]' for one in columns)})"


def _converted(
    columns: Sequence[Column[Any]],
) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    return tuple(
        (place, _converter(one))
        for place, one in enumerate(columns)
        if isinstance(one.type, TypeDecorator)
    )


def _on_conflict(table: Table, names: tuple[str, ...], replaces: bool) -> str:
    keys = key_names(table)
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
