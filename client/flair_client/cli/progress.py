"""Progress bars on stderr, drawn by Rich."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from flair_client.progress import Task


class _RichTask:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def advance(self, n: int) -> None:
        self._bars.advance(self._task, n)


class RichProgress:
    """One bar per task, with amount, rate and time left."""

    def __init__(self, *, color: bool) -> None:
        self._console = Console(file=sys.stderr, no_color=not color)

    def task(self, label: str, total: int, unit: str) -> Task:
        """Begins a task; the bar goes when its `with` block ends."""
        amount: tuple[ProgressColumn, ...] = (
            (DownloadColumn(), TransferSpeedColumn())
            if unit == "bytes"
            else (MofNCompleteColumn(), TextColumn(unit))
        )
        bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            *amount,
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        return _RichTask(bars, bars.add_task(label, total=total))
