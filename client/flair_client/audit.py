"""The audit log: what was trained, committed, approved, pushed, and asked of others.

`audit.jsonl` in the user's folder, append-only (see `chained_file`). A push is written
down before its first byte leaves and again when it is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from flair_client.chained_file import FIRST_PREV, append_line, locked, read_lines

AUDIT_FILE: Final = "audit.jsonl"


class AuditKind(StrEnum):
    """What a line of the audit log is about."""

    TRAIN = "train"
    COMMIT = "commit"
    APPROVAL = "approval"
    PUSH = "push"  # about to leave
    PUSHED = "pushed"  # has left
    REFUSED = "refused"  # by a rule of the site, or a spent budget
    MEMBER = "member"  # an invite, a role taken or asked for, a machine key


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A line of the audit log.

    Attributes:
        seq: its number, from 1.
        kind: as `AuditKind`; empty where it was cut off while it was written.
        time: seconds since 1970 by this machine's clock.
        details: everything else, by name.
        digest: sha-256 of the line.
    """

    seq: int
    kind: str
    time: int
    details: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The whole log, checked.

    Attributes:
        last_digest: sha-256 of the last line, to be noted elsewhere: what was cut off
            at the end shows only against it.
    """

    path: Path
    lines: tuple[AuditLine, ...]
    last_digest: str


def write_audit(home: Path, kind: str, time: int, details: Mapping[str, Any]) -> None:
    """Appends a line; details that are None are left out.

    Raises:
        OSError: it could not be written; the work must not go on.
        TimeoutError: another process holds the log.
    """
    path = home / AUDIT_FILE
    kept = {name: value for name, value in details.items() if value is not None}
    with locked(path):
        append_line(path, {"kind": str(kind), "time": time, "details": kept})


def read_audit(home: Path) -> AuditLog:
    """Reads and checks the log.

    Raises:
        RecordDamaged: names the first line that was changed.
    """
    path = home / AUDIT_FILE
    lines = tuple(
        AuditLine(
            line.seq,
            str(line.fields.get("kind", "")),
            _whole(line.fields.get("time")),
            _table(line.fields.get("details")),
            line.digest,
        )
        for line in read_lines(path)
    )
    return AuditLog(path, lines, lines[-1].digest if lines else FIRST_PREV)


def _whole(value: Any) -> int:
    return value if type(value) is int else 0


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
