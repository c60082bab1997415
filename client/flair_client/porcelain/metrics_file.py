"""What was measured on this machine: `.flair/metrics.jsonl`, one line each.

No push ever sends the file. Reading it needs nothing that measures.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flair_client.errors import IdentifierInvalid
from flair_client.ids import Address, CommitId
from flair_client.workspace import Workspace

METRICS_FILE: Final = "metrics.jsonl"
# The longest line that a recipe's code can bring about is shorter: 256 names of 128
# characters, each up to 12 bytes in JSON. More of a file's end is not read.
_MAX_LINE_BYTES: Final = 1 << 19


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a model does on this machine's data.

    Attributes:
        branch: that HEAD was on; empty outside a workspace.
        metrics: empty where nothing can measure the model: the recipe's code has no
            function for it.
        data: name of the data source, or its file.
        without: who was left out of the model; None where nobody was.
        left_out: updates that were left out.
        key: of state, recipe, rows and device; the same key gives the same numbers.
        is_known: whether it was measured before and not again.
    """

    commit: CommitId
    branch: str
    num_samples: int
    metrics: Mapping[str, float]
    data: str = ""
    without: Address | None = None
    left_out: tuple[CommitId, ...] = ()
    key: str = ""
    is_known: bool = False
    time: int = field(default=0, compare=False)


def append_evaluation(workspace: Workspace, time: int, found: Evaluated) -> None:
    """Adds a line; the caller holds the workspace's lock."""
    path = workspace.state_folder / METRICS_FILE
    line = {
        "time": time,
        "commit": str(found.commit),
        "branch": found.branch,
        "num_samples": found.num_samples,
        "metrics": dict(found.metrics),
        "data": found.data,
        "key": found.key,
    }
    text = json.dumps(line, allow_nan=False) + "\n"
    last = _last_line(path)
    # A line that a kill cut off is not continued.
    if last is not None and not last.endswith(b"\n"):
        text = "\n" + text
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def read_evaluations(workspace: Workspace) -> list[Evaluated]:
    """Gives everything that was measured here, oldest first; damaged lines are none."""
    return list(_evaluations(workspace.state_folder / METRICS_FILE))


def _evaluations(path: Path) -> Iterator[Evaluated]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for raw in file:
            line = _line_of(raw)
            if line is None:
                continue
            try:
                yield Evaluated(
                    CommitId.parse(line["commit"]),
                    str(line["branch"]),
                    int(line["num_samples"]),
                    {str(n): float(v) for n, v in line["metrics"].items()},
                    data=str(line.get("data", "")),
                    key=str(line.get("key", "")),
                    time=int(line["time"]),
                )
            except (ValueError, KeyError, TypeError, AttributeError):
                continue


def last_evaluated(workspace: Workspace) -> CommitId | None:
    """Gives the commit that was measured last; None where none was."""
    line = last_metrics(workspace)
    return None if line is None else CommitId.parse(line["commit"])


def last_metrics(workspace: Workspace) -> dict[str, Any] | None:
    """Gives the last line of the file; None where there is none that is whole."""
    last = _last_line(workspace.state_folder / METRICS_FILE)
    return None if last is None else _line_of(last)


def _line_of(raw: bytes) -> dict[str, Any] | None:
    """A whole line that names a commit; None for any other."""
    if not raw.endswith(b"\n"):
        return None
    try:
        line = json.loads(raw)
        CommitId.parse(line["commit"])
    except (ValueError, RecursionError, KeyError, TypeError, IdentifierInvalid):
        return None
    return line if isinstance(line, dict) else None


def _last_line(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _MAX_LINE_BYTES, 0))
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return None
    return lines[-1] if lines else None
