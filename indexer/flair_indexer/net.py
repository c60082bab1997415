"""What many changes of rows come to. Pure.

A unit of work touches one row several times: pushed, merged, settled. Written is only
what is left in the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flair_indexer.changes import Change, Put, Remove, Set, Values

_Key: TypeAlias = tuple[Any, ...]


def net_waves(changes: Sequence[Change], keys: Sequence[str]) -> list[list[Change]]:
    """Gives changes of one table that do the same, in waves to be carried out in order.

    Within a wave no two change the same row, but for those that name rows by something
    else than their key.

    Args:
        changes: in their order; a `Put` has all columns of its row.
        keys: the columns of the table's key.
    """
    rows = _Rows(tuple(keys))
    for one in changes:
        rows.add(one)
    return rows.finished()


@dataclass(slots=True)
class _Rows:
    """Rows of one table, and what is to be done to them.

    Attributes:
        early: changes of rows named by something else than the key; what they did to
            the rows of `late` is in there already.
        late: by key.
    """

    keys: tuple[str, ...]
    waves: list[list[Change]] = field(default_factory=list)
    early: list[Set | Remove] = field(default_factory=list)
    late: dict[_Key, Change] = field(default_factory=dict)

    def add(self, change: Change) -> None:
        named = change.values if isinstance(change, Put) else change.where
        if not isinstance(change, Put) and named.keys() != set(self.keys):
            self._add_early(change)
            return
        key = tuple(named[name] for name in self.keys)
        before = self.late.get(key)
        self.late[key] = change if before is None else _after(before, change)

    def finished(self) -> list[list[Change]]:
        self._close()
        return self.waves

    def _close(self) -> None:
        if self.early:
            self.waves.append([*self.early])
        if self.late:
            self.waves.append([*self.late.values()])
        self.early, self.late = [], {}

    def _add_early(self, change: Set | Remove) -> None:
        """Takes a change of whatever rows are like `where`.

        It may be carried out before those that are by key where it is known what it
        does to each of them: to a whole row, and to one that gets other values in all
        of the columns that matter.
        """
        if any(not _are_apart(one, change) for one in self.early):
            self._close()
        touched = [key for key in self.late if self._may_match(key, change)]
        if isinstance(change, Remove):
            self._close()
        elif all(_is_known(self.late[key], change) for key in touched):
            for key in touched:
                self.late[key] = _if_like(self.late[key], change, self.keys)
        else:
            self._close()
        self.early.append(change)

    def _may_match(self, key: _Key, change: Set | Remove) -> bool:
        return all(
            change.where.get(name, value) == value
            for name, value in zip(self.keys, key, strict=True)
        )


def _is_known(one: Change, change: Set) -> bool:
    if not isinstance(one, Set):
        return True
    others = change.where.keys() - one.where.keys()
    return others | change.values.keys() <= one.values.keys()


def _if_like(one: Change, change: Set, keys: tuple[str, ...]) -> Change:
    """Gives what comes of a row's change where `change` follows it."""
    if isinstance(one, Remove):
        return one
    is_like = all(
        one.values[name] == value
        for name, value in change.where.items()
        if name not in keys
    )
    return _after(one, change) if is_like else one


def _are_apart(one: Set | Remove, other: Set | Remove) -> bool:
    """Tells whether two may be carried out together: alike, and of other rows."""
    return (
        type(one) is type(other)
        and one.where.keys() == other.where.keys()
        and one.where != other.where
        and (isinstance(one, Remove) or one.values.keys() == _names(other))
    )


def _names(change: Set | Remove) -> Any:
    return change.values.keys() if isinstance(change, Set) else ()


def _after(before: Change, change: Change) -> Change:
    """Gives what two changes of one row come to."""
    if not isinstance(change, Set):
        return change
    match before:
        case Put(table=table, values=values):
            return Put(table, _with(values, change.values))
        case Set(table=table, where=where, values=values):
            return Set(table, where, _with(values, change.values))
        case Remove():
            return before


def _with(values: Values, others: Mapping[str, Any]) -> Values:
    return {**values, **others}
