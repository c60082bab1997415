"""Files that are only ever appended to, each line bound to the line before.

A line is canonical JSON with `seq`, counted from 1, and `prev`, the sha-256 of the line
before without its newline (zeros in the first). Whoever changes, inserts or takes out a
line has to write all later lines anew, and the hash of the last line changes. A write
that was cut off leaves a line without its newline that is no JSON; it stays, and the
next line, which begins with the newline, names its hash like any other. A last line
that has its newline and is no JSON was never written so: nothing is appended to it.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flair_client.errors import RecordDamaged

FIRST_PREV: Final = "0" * 64
_LOCK_TIMEOUT_S: Final = 30.0
_MAX_LINE: Final = 1 << 24
# Lines are far shorter; where the last one is not, the file is read from its start.
_TAIL: Final = 1 << 18
_FOREIGN: Final = "is whole and not one that Flair wrote"


@dataclass(frozen=True, slots=True)
class ChainedLine:
    """A line of such a file.

    Attributes:
        seq: its number, from 1.
        fields: what it says; empty where it was cut off while it was written.
        digest: sha-256 of its bytes, in hex.
        is_torn: whether it was cut off.
    """

    seq: int
    fields: Mapping[str, Any]
    digest: str
    is_torn: bool = False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other processes from appending meanwhile.

    Raises:
        TimeoutError: another one holds it for half a minute.
    """
    # Commands that only read never need it, and it takes long to import.
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with filelock.FileLock(f"{path}.lock", timeout=_LOCK_TIMEOUT_S):
        yield


def read_lines(path: Path) -> tuple[ChainedLine, ...]:
    """Reads and checks a file whole; where there is none there are no lines.

    Raises:
        RecordDamaged: a line is not bound to the one before, or the last one is whole
            and not one of ours; names the first.
    """
    return tuple(_checked(path))


def append_line(path: Path, fields: Mapping[str, Any]) -> ChainedLine:
    """Appends a line and waits until the disk has it; the caller holds the lock.

    Raises:
        RecordDamaged: the last line is whole and cannot be one of ours.
        OSError: the disk is full, or the file may not be written.
    """
    seq, last = _last_line(path)
    prev = FIRST_PREV if last is None else hashlib.sha256(last).hexdigest()
    line = json.dumps(
        {**fields, "seq": seq + 1, "prev": prev},
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
        ensure_ascii=False,
    ).encode()
    is_new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        # After a write that was cut off the next line begins on a line of its own.
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        written = (b"\n" if torn else b"") + line + b"\n"
        if os.write(handle, written) != len(written):
            raise OSError(f"{path}: the line was not written whole")
        os.fsync(handle)
    finally:
        os.close(handle)
    if is_new:
        _sync_folder(path.parent)
    return ChainedLine(seq + 1, dict(fields), hashlib.sha256(line).hexdigest())


def _checked(path: Path) -> Iterator[ChainedLine]:
    prev, is_foreign = FIRST_PREV, False
    seq = 0
    for seq, (raw, is_whole) in enumerate(_raw_lines(path), start=1):
        digest = hashlib.sha256(raw).hexdigest()
        fields = _parse(raw)
        # A line that was cut off has a newline only where another one follows.
        is_foreign = fields is None and is_whole
        if fields is None:
            yield ChainedLine(seq, {}, digest, is_torn=True)
        else:
            if fields.pop("seq", None) != seq:
                raise RecordDamaged(path, seq, "has another number")
            if fields.pop("prev", None) != prev:
                raise RecordDamaged(path, seq, "does not follow the line before it")
            yield ChainedLine(seq, fields, digest)
        prev = digest
    if is_foreign:
        raise RecordDamaged(path, seq, _FOREIGN)


def _raw_lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Gives each line, and whether it has its newline."""
    try:
        with path.open("rb") as file:
            for seq, raw in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), 1):
                if len(raw) == _MAX_LINE:
                    raise RecordDamaged(path, seq, "is longer than any line")
                yield raw.removesuffix(b"\n"), raw.endswith(b"\n")
    except FileNotFoundError:
        return


def _last_line(path: Path) -> tuple[int, bytes | None]:
    """How many lines there are, and the last one.

    A last line of ours tells its own number. Whether it is true shows when all are
    read.

    Raises:
        RecordDamaged: it is whole and not one of ours.
    """
    tail = _tail(path)
    if tail is not None:
        fields = _parse(tail)
        if fields is not None and type(fields.get("seq")) is int:
            return fields["seq"], tail
    seq, last, is_whole = 0, None, False
    for seq, (last, is_whole) in enumerate(_raw_lines(path), start=1):  # noqa: B007 - the last
        pass
    if last is not None and is_whole and _parse(last) is None:
        raise RecordDamaged(path, seq, _FOREIGN)
    return seq, last


def _tail(path: Path) -> bytes | None:
    """The last line, where it is whole and not too long; None otherwise."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _TAIL, 0))
            lines = file.read(_TAIL).split(b"\n")
    except FileNotFoundError:
        return None
    # In what is not the whole file the first line may have lost its beginning.
    whole = lines if size <= _TAIL else lines[1:]
    return whole[-2] if len(whole) > 1 and not whole[-1] else None


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
