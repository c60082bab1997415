"""Names of data sources: made, shown, checked against a recipe, forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flair_client.chained_file import locked
from flair_client.data_check import CheckedArray, check_source
from flair_client.data_sources import (
    Argument,
    DataSource,
    SourceKind,
    file_ledger,
    find_source,
    load_sources,
    named_source,
    save_source,
    source_of_path,
    source_path,
)
from flair_client.errors import (
    DataHasName,
    DataSourceExists,
    DataUnreadable,
    UsageError,
)
from flair_client.privacy.ledger import ledger_path, read_charges
from flair_client.site_rules import SiteRules
from flair_client.training.recipe import TrainingRecipe


@dataclass(frozen=True, slots=True)
class DataShown:
    """A data source as it was named.

    Attributes:
        path: the file, or the module of the loader.
        function: of the loader's module; None where there is no loader.
        reads: files and folders that the loader reads besides its own folder.
        columns: the recipe's name → the file's, where a map says so.
        is_there: whether the files are.
        num_updates: with noise, that left and are counted under the name.
    """

    name: str
    kind: SourceKind
    path: Path
    function: str | None
    arguments: Mapping[str, Argument]
    reads: tuple[Path, ...]
    columns: Mapping[str, str]
    is_there: bool
    num_updates: int


@dataclass(frozen=True, slots=True)
class DataListed:
    """Every data source that has a name here."""

    sources: tuple[DataShown, ...]


@dataclass(frozen=True, slots=True)
class DataRemoved:
    """A name that is forgotten; the data stays, and so does its privacy ledger."""

    name: str
    path: Path
    num_updates: int


@dataclass(frozen=True, slots=True)
class DataChecked:
    """A data source whose every row fits the recipe.

    Attributes:
        source: its name, or the file.
        num_rows: how many there are.
        arrays: columns or arrays as training gets them.
        n_clipped: column → values outside the recipe's plausible range.
        min_rows_statistics: what the recipe asks for to share statistics; None where
            it shares none.
    """

    source: str
    num_rows: int
    arrays: tuple[CheckedArray, ...]
    n_clipped: Mapping[str, int]
    min_rows_statistics: int | None

    @property
    def is_too_short(self) -> bool:
        """Whether its statistics would be refused."""
        return self.num_rows < (self.min_rows_statistics or 0)


def data_add(home: Path, source: DataSource, *, replace: bool = False) -> DataShown:
    """Gives a name to a file or a loader. Nothing is read but whether it is there.

    What the file gave away before it had a name is counted under the name from now on.

    Args:
        home: the user's folder.
        source: with a name.
        replace: whether the name may mean something else from now on.

    Raises:
        IdentifierInvalid: the name cannot be one.
        DataSourceExists: the name is taken.
        DataHasName: the file has another name.
        DataUnreadable: a file is not there.
    """
    name = source.name or ""
    if source_path(home, name).is_file() and not replace:
        raise DataSourceExists(f"there is a data source {name!r} already")
    for path in (source.path, *source.reads):
        if not path.exists():
            raise DataUnreadable(f"there is no file {path}")
    if not source.path.is_file():
        raise DataUnreadable(f"{source.path} is no file")
    if source.kind is not SourceKind.LOADER:
        other = source_of_path(home, source.path)
        if other is not None and other.name != name:
            raise DataHasName(source.path, other.name or "")
        _move_ledger(home, file_ledger(source.path), name)
    save_source(home, source)
    return _shown(home, source)


def data_list(home: Path) -> DataListed:
    """Gives every data source by name."""
    return DataListed(tuple(_shown(home, one) for one in load_sources(home)))


def data_show(home: Path, name: str) -> DataShown:
    """Gives one data source.

    Raises:
        DataSourceMissing: there is none of that name.
    """
    return _shown(home, named_source(home, name))


def data_remove(home: Path, name: str) -> DataRemoved:
    """Forgets a name. What was given away under it stays counted, should it come back.

    Raises:
        DataSourceMissing: there is none of that name.
    """
    source = named_source(home, name)
    source_path(home, name).unlink()
    return DataRemoved(name, source.path, len(read_charges(home, name)))


def data_check(
    home: Path, site: SiteRules, recipe: TrainingRecipe, text: str
) -> DataChecked:
    """Reads a data source, or a file, as training would, and trains nothing.

    Args:
        home: the user's folder.
        site: its rules about rows.
        recipe: that it must fit.
        text: a name, or a file.

    Raises:
        DataError: a row does not fit; names file, row and column.
        SiteRefused: the site asks for more rows.
    """
    source = find_source(home, text)
    checked = check_source(source, recipe)
    site.check_rows(checked.num_rows)
    return DataChecked(
        source.label,
        checked.num_rows,
        checked.arrays,
        checked.n_clipped,
        recipe.statistics_min_rows if recipe.statistics else None,
    )


def _move_ledger(home: Path, source: str, name: str) -> None:
    """Counts what a file gave away under another name from now on."""
    old, new = ledger_path(home, source), ledger_path(home, name)
    if not old.exists():
        return
    with locked(old), locked(new):
        if new.exists():
            raise UsageError(
                f"updates are counted under the file and under {name!r} already"
            )
        old.replace(new)


def _shown(home: Path, source: DataSource) -> DataShown:
    columns = {} if source.column_map is None else source.column_map.sources
    name = source.name or ""
    return DataShown(
        name,
        source.kind,
        source.path,
        source.function or None,
        source.arguments,
        source.reads,
        {column: one.column for column, one in columns.items()},
        all(path.exists() for path in (source.path, *source.reads)),
        len(read_charges(home, name)),
    )
