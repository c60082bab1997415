"""Data sources: what a contributor trains on, named once and never published.

A name stands for a file, or for a function of the contributor's own that loads the
rows. It is kept in `data/NAME.toml` of the user's folder, never in a workspace: no
commit, recipe or repository ever holds it. Privacy loss is counted by that name.

Where data lies; whether it fits a recipe is the business of `data_check`.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

import tomlkit

from flair_client.config_file import write_text
from flair_client.errors import (
    DataSourceMissing,
    DataUnreadable,
    IdentifierInvalid,
    UsageError,
)
from flair_client.ids import Digest
from flair_client.names import check_name, is_name
from flair_client.training.data import ColumnMap
from flair_client.training.reading import map_from_plain, map_to_plain
from flair_client.workspace import read_table

DATA_FOLDER: Final = "data"
_VERSION: Final = 1
_FUNCTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIELDS: Final = frozenset(
    ("version", "kind", "path", "function", "arguments", "reads", "map")
)
# What the file of a loader may be long; it is code that people write.
_MAX_LOADER_BYTES: Final = 1 << 20
_MAX_ARGUMENTS: Final = 64

Argument = bool | int | float | str


class SourceKind(StrEnum):
    """What holds the rows."""

    CSV = "csv"
    PARQUET = "parquet"
    NPZ = "npz"
    LOADER = "loader"


_SUFFIXES: Final[Mapping[str, SourceKind]] = {
    ".parquet": SourceKind.PARQUET,
    ".pq": SourceKind.PARQUET,
    ".npz": SourceKind.NPZ,
}
_FILE_SUFFIXES: Final = (*_SUFFIXES, ".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Where a contributor's rows come from.

    Attributes:
        name: the user's; None for a file that has none.
        kind: what holds the rows.
        path: the file, or the module of the loader; absolute where it has a name.
        function: of the loader's module; empty where there is no loader.
        arguments: that the function is called with, by name.
        reads: files and folders that the loader reads, besides its own folder.
        column_map: how the columns give the recipe's.
    """

    name: str | None
    kind: SourceKind
    path: Path
    function: str = ""
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    reads: tuple[Path, ...] = ()
    column_map: ColumnMap | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be a source.

        Raises:
            UsageError: names the argument.
        """
        if (self.kind is SourceKind.LOADER) != bool(self.function):
            raise UsageError("a function belongs to a loader, and to nothing else")
        if self.function and _FUNCTION.fullmatch(self.function) is None:
            raise UsageError(f"{self.function!r} cannot be the name of a function")
        if len(self.arguments) > _MAX_ARGUMENTS:
            raise UsageError(f"a loader takes at most {_MAX_ARGUMENTS} arguments here")
        for name in self.arguments:
            if _FUNCTION.fullmatch(name) is None:
                raise UsageError(f"{name!r} cannot be the name of an argument")
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))

    @property
    def label(self) -> str:
        """What people are told: the name, or the file."""
        return self.name or str(self.path)

    @property
    def ledger(self) -> str:
        """The name that privacy loss is counted under; it hides where a file lies."""
        return self.name or file_ledger(self.path)

    @property
    def readable(self) -> tuple[Path, ...]:
        """What must be readable where the rows are read."""
        path = self.path.resolve()
        own = path.parent if self.kind is SourceKind.LOADER else path
        return (own, *(one.resolve() for one in self.reads))

    @property
    def fingerprint(self) -> str:
        """Changes when the data does, as far as files tell.

        Raises:
            DataUnreadable: a file is not there.
        """
        digest = hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode())
        for path in (self.path, *self.reads):
            try:
                stat = path.stat()
            except OSError as exc:
                raise DataUnreadable(self._needs(path, exc)) from exc
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        if self.kind is SourceKind.LOADER:
            digest.update(self.path.read_bytes()[:_MAX_LOADER_BYTES])
        return digest.hexdigest()

    def _needs(self, path: Path, reason: OSError) -> str:
        if self.name is None and path == self.path:
            return f"{path} cannot be read: {reason.strerror}"
        return f"data source {self.label!r} needs {path}: {reason.strerror}"

    def with_map(self, column_map: ColumnMap | None) -> Self:
        """The same rows under another map; None leaves the source's own."""
        return self if column_map is None else replace(self, column_map=column_map)

    def absolute(self) -> Self:
        """The same source, whatever folder one stands in."""
        return replace(self, path=self.path.absolute())

    def plain(self) -> dict[str, Any]:
        """The source as JSON holds it, for `training.reading.read_plain`."""
        return {
            "name": self.label,
            "kind": self.kind.value,
            "path": str(self.path),
            "function": self.function,
            "arguments": dict(self.arguments),
            "map": map_to_plain(self.column_map),
        }


def file_ledger(path: Path) -> str:
    """Gives the name of the ledger of a file that has no name of its own."""
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()


def tidy_path(path: Path) -> Path:
    """Gives a path as it is kept: absolute, and without `..`.

    What is a link stays one, so that a name follows what it leads to; but where `..`
    comes behind a link, only the folder that it means is right.
    """
    plain = path.expanduser().absolute()
    tidy = Path(os.path.normpath(plain))
    try:
        is_same = tidy.samefile(plain)
    except OSError:
        is_same = not plain.exists()
    return tidy if is_same else plain.resolve()


def file_source(path: Path, column_map: ColumnMap | None = None) -> DataSource:
    """Gives a file as a source without a name; its suffix tells the kind."""
    kind = _SUFFIXES.get(path.suffix.lower(), SourceKind.CSV)
    return DataSource(name=None, kind=kind, path=path, column_map=column_map)


def load_sources(home: Path | None) -> tuple[DataSource, ...]:
    """Gives every named source, by name.

    Raises:
        WorkspaceError: a file in the folder was damaged.
    """
    folder = None if home is None else home / DATA_FOLDER
    if folder is None or not folder.is_dir():
        return ()
    names = sorted(path.stem for path in folder.glob("*.toml") if is_name(path.stem))
    return tuple(_load(folder / f"{name}.toml", name) for name in names)


def named_source(home: Path | None, name: str) -> DataSource:
    """Gives the source of a name.

    Raises:
        DataSourceMissing: there is none.
    """
    if home is not None and is_name(name) and (home / _file_of(name)).is_file():
        return _load(home / _file_of(name), name)
    raise DataSourceMissing(f"there is no data source {name!r}")


def find_source(home: Path | None, text: str) -> DataSource:
    """Gives the source of a name, or else of a file.

    A file that has a name is the source of that name, so that what it gives away is
    counted in one place.

    Raises:
        DataSourceMissing: neither.
    """
    if home is not None and is_name(text) and (home / _file_of(text)).is_file():
        return named_source(home, text)
    path = Path(text).expanduser()
    is_written_as_file = not is_name(text) or path.suffix.lower() in _FILE_SUFFIXES
    if not is_written_as_file and not path.is_file():
        raise DataSourceMissing(f"there is neither a data source nor a file {text!r}")
    # One that is not there is a source too: whoever reads it says what is wrong.
    return as_source(home, path)


def as_source(home: Path | None, data: "DataSource | Path") -> DataSource:
    """Gives a source as it is, and a file as the source that it is."""
    if isinstance(data, DataSource):
        return data
    return source_of_path(home, data) or file_source(data)


def ledger_name(home: Path | None, text: str) -> str:
    """Gives the name of the ledger that a data source, or a file, is counted under.

    A name that is no data source, or no more, is taken as it is: its ledger stays.

    Raises:
        IdentifierInvalid: there is no such file, and it cannot be a name.
    """
    if home is not None and is_name(text) and (home / _file_of(text)).is_file():
        return text
    path = Path(text).expanduser()
    if path.is_file():
        return as_source(home, path).ledger
    return check_name("name of a data source", text)


def source_exists(home: Path | None, text: str) -> bool:
    """Whether a text is a data source of this name, or a file that is there."""
    named = home is not None and is_name(text) and (home / _file_of(text)).is_file()
    return named or Path(text).expanduser().is_file()


def source_of_path(home: Path | None, path: Path) -> DataSource | None:
    """Gives the named source that a file is; None where it has no name."""
    wanted = path.resolve()
    for one in load_sources(home):
        if one.kind is not SourceKind.LOADER and one.path.resolve() == wanted:
            return one
    return None


def save_source(home: Path, source: DataSource) -> None:
    """Writes a named source down; only its owner can read the file.

    Raises:
        IdentifierInvalid: the name cannot be one.
    """
    path = source_path(home, source.name or "")
    plain = source.plain()
    kept: dict[str, Any] = {
        "version": _VERSION,
        "kind": plain["kind"],
        "path": plain["path"],
    }
    if source.kind is SourceKind.LOADER:
        kept["function"] = source.function
        kept["reads"] = [str(one) for one in source.reads]
        kept["arguments"] = plain["arguments"]
    if plain["map"] is not None:
        kept["map"] = plain["map"]
    write_text(path, tomlkit.dumps(kept))


def source_path(home: Path, name: str) -> Path:
    """Gives the file of a named source.

    Raises:
        IdentifierInvalid: the name cannot be one, or reads like the ledger of a file.
    """
    check_name("name of a data source", name)
    if _is_digest(name):
        raise IdentifierInvalid("name of a data source", name, "no digest")
    return home / _file_of(name)


def _file_of(name: str) -> Path:
    return Path(DATA_FOLDER) / f"{name}.toml"


def _is_digest(name: str) -> bool:
    try:
        Digest.parse(name)
    except IdentifierInvalid:
        return False
    return True


def _load(path: Path, name: str) -> DataSource:
    table = read_table(path)
    if table is None:
        raise DataSourceMissing(f"there is no data source {name!r}")
    unknown = table.keys() - _FIELDS
    if unknown or table.get("version") != _VERSION:
        what = min(unknown) if unknown else "version"
        raise UsageError(f"{path} is damaged: {what!r} is not known here")
    try:
        return DataSource(
            name=name,
            kind=SourceKind(str(table["kind"])),
            path=_absolute(table["path"]),
            function=str(table.get("function", "")),
            arguments=_arguments(table.get("arguments", {})),
            reads=tuple(_absolute(one) for one in table.get("reads", [])),
            column_map=map_from_plain(table.get("map")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise UsageError(f"{path} is damaged: {type(exc).__name__}: {exc}") from exc


def _absolute(text: Any) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ValueError(f"{text!r} is no absolute path")
    return path


def _arguments(table: Mapping[str, Any]) -> dict[str, Argument]:
    for name, value in table.items():
        if not isinstance(value, bool | int | float | str):
            raise TypeError(f"argument {name!r} is neither number nor text")
    return dict(table)
