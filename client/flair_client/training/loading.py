"""Calls a loader of the contributor's own and gathers what it gives into arrays.

A loader is a function that gives a dict of arrays, an iterable of batches, or a data
set or data loader of PyTorch, which is never imported here: what can be indexed or
iterated, and turned into arrays, is enough.
"""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np

from flair_client.errors import DataError, DataUnreadable
from flair_client.training.doors import Array

_MODULE: Final = "flair_loader"
_MAX_TOLD: Final = 300
# Classes of PyTorch whose items are single rows, not batches.
_ROWS_CLASSES: Final = ("Dataset", "IterableDataset")
_TORCH_DATA: Final = "torch.utils.data"


class _Place:
    """How far a loader has come, for the message when it fails."""

    def __init__(self) -> None:
        self.row = 0
        self.batch = 0

    def __str__(self) -> str:
        if self.batch:
            return f" in batch {self.batch:,}, after row {self.row:,}"
        return f" at row {self.row:,}" if self.row else ""


def load_arrays(
    path: Path,
    function: str,
    arguments: Mapping[str, Any],
    names: Sequence[str],
    source: str,
) -> dict[str, Array]:
    """Calls `function(**arguments)` of a module and gathers its rows.

    Args:
        path: the module's file.
        function: in it.
        arguments: by name.
        names: what a batch or row that is a tuple holds, in order; where the recipe
            declares nothing, `x` and `y`.
        source: name of the data source, for messages.

    Returns:
        Name → array, rows first.

    Raises:
        DataError: there is no such function, it raised, or gave nothing usable; tells
            the row or batch where that is known.
    """
    where = f"data source {source!r}"
    place = _Place()
    # What a loader prints is no part of any answer.
    with (
        _own_imports(path.parent),
        _told(path, function, where, place),
        redirect_stdout(sys.stderr),
    ):
        given = _function(path, function, where)(**arguments)
        return _gathered(given, tuple(names), where, place)


@contextmanager
def _own_imports(folder: Path) -> Iterator[None]:
    """A loader may import what lies beside it; nobody else gets it by that name.

    A recipe has modules of the same names.
    """
    before = set(sys.modules)
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in sys.modules.keys() - before:
            file = getattr(sys.modules[name], "__file__", None)
            if name == _MODULE or (file and Path(file).is_relative_to(folder)):
                del sys.modules[name]


@contextmanager
def _told(path: Path, function: str, where: str, place: _Place) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (Exception, SystemExit) as exc:
        line = ""
        for frame in traceback.extract_tb(exc.__traceback__):
            if Path(frame.filename) == path:
                line = f" ({path.name}, line {frame.lineno})"
        words = " ".join(str(exc).split())[:_MAX_TOLD]
        raise DataError(
            f"{where}: {function} failed{place}: {type(exc).__name__}: {words}{line}"
        ) from exc


def _function(path: Path, name: str, where: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise DataError(f"{where}: {path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as exc:
        if exc.filename != str(path):
            raise
        raise DataUnreadable(f"{where}: there is no file {path}") from exc
    found = getattr(module, name, None)
    if not callable(found):
        raise DataError(f"{where}: {path.name} has no function {name!r}")
    made: Callable[..., Any] = found
    return made


def _gathered(
    given: Any, names: tuple[str, ...], where: str, place: _Place
) -> dict[str, Array]:
    if isinstance(given, Mapping):
        return {str(name): to_array(value) for name, value in given.items()}
    if _holds_rows(given):
        parts = [_row(one, names, where, place) for one in _counted(given, place)]
        if not parts:
            raise DataError(f"{where} has no rows")
        return {name: _stacked(name, parts, where) for name in parts[0]}
    if not hasattr(given, "__iter__") or isinstance(given, str | bytes):
        raise DataError(
            f"{where}: the loader gave {type(given).__name__}, neither arrays by name "
            "nor batches"
        )
    batches: list[dict[str, Array]] = []
    for batch in _batches(given, place):
        batches.append(_batch(batch, names, where, place))
        place.row += len(next(iter(batches[-1].values())))
    if not batches:
        raise DataError(f"{where} has no rows")
    return {name: _joined(name, batches, where) for name in batches[0]}


def _holds_rows(given: Any) -> bool:
    for kind in type(given).__mro__:
        if kind.__module__.startswith(_TORCH_DATA) and kind.__name__ in _ROWS_CLASSES:
            return True
    return hasattr(given, "__getitem__") and not hasattr(given, "__iter__")


def _counted(given: Any, place: _Place) -> Iterator[Any]:
    """Each row of a data set; the place is that of the row that is being read."""
    if hasattr(given, "__len__") and hasattr(given, "__getitem__"):
        for index in range(len(given)):
            place.row = index + 1
            yield given[index]
        return
    rows = iter(given)
    while True:
        place.row += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        yield row


def _batches(given: Any, place: _Place) -> Iterator[Any]:
    batches = iter(given)
    while True:
        place.batch += 1
        try:
            batch = next(batches)
        except StopIteration:
            return
        yield batch


def _row(
    row: Any, names: tuple[str, ...], where: str, place: _Place
) -> dict[str, Array]:
    return _named(row, names, f"{where}, row {place.row:,}")


def _batch(
    batch: Any, names: tuple[str, ...], where: str, place: _Place
) -> dict[str, Array]:
    here = f"{where}, batch {place.batch:,}"
    found = _named(batch, names, here)
    counts = {name: len(value) if value.ndim else 0 for name, value in found.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise DataError(f"{here}: arrays have different numbers of rows: {told}")
    return found


def _named(values: Any, names: tuple[str, ...], here: str) -> dict[str, Array]:
    """The values of a row or batch by name."""
    if isinstance(values, Mapping):
        found = {str(name): to_array(value) for name, value in values.items()}
    elif isinstance(values, tuple | list):
        found = _in_order(values, names or ("x", "y"), here)
    else:
        found = _in_order((values,), names or ("x",), here)
    if not found:
        raise DataError(f"{here} is empty")
    return found


def _in_order(
    values: Sequence[Any], names: tuple[str, ...], here: str
) -> dict[str, Array]:
    arrays = [to_array(value) for value in values]
    if len(arrays) == 2 < len(names) and arrays[0].ndim:
        # Columns side by side, and the target.
        if arrays[0].shape[-1] != len(names) - 1:
            raise DataError(
                f"{here} has {arrays[0].shape[-1]} columns, the recipe declares "
                f"{len(names) - 1}"
            )
        arrays = [*np.moveaxis(arrays[0], -1, 0), arrays[1]]
    if len(arrays) != len(names):
        told = ", ".join(repr(name) for name in names[:12])
        raise DataError(f"{here} holds {len(arrays)} values for {told}")
    return dict(zip(names, arrays, strict=True))


def _stacked(name: str, rows: Sequence[Mapping[str, Array]], where: str) -> Array:
    return _together(name, rows, np.stack, where, "row")


def _joined(name: str, batches: Sequence[Mapping[str, Array]], where: str) -> Array:
    return _together(name, batches, np.concatenate, where, "batch")


def _together(
    name: str,
    parts: Sequence[Mapping[str, Array]],
    join: Callable[[list[Array]], Array],
    where: str,
    what: str,
) -> Array:
    first = parts[0][name]
    shape = first.shape if what == "row" else first.shape[1:]
    for number, part in enumerate(parts, 1):
        if part.keys() != parts[0].keys():
            raise DataError(
                f"{where}, {what} {number:,} has other names than the first"
            )
        value = part[name]
        has = value.shape if what == "row" else value.shape[1:]
        if has != shape or not value.ndim >= (what == "batch"):
            raise DataError(
                f"{where}, {what} {number:,}: {name!r} has shape {list(value.shape)}, "
                f"the first {list(first.shape)}"
            )
    return join([part[name] for part in parts])


def to_array(value: Any) -> Array:
    """An array from what NumPy or PyTorch hold; a tensor's gradient is left behind.

    Raises:
        TypeError: it holds objects, not numbers.
    """
    detach = getattr(value, "detach", None)
    if detach is not None:
        value = detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
        value = value.numpy()
    array: Array = np.asarray(value)
    if array.dtype.kind not in "biufUS":
        raise TypeError(f"{type(value).__name__} of {array.dtype} is no array")
    return array
