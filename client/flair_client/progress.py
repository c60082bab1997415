"""How long work tells how far it is; who shows it is somebody else's business."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self


class Task(AbstractContextManager["Task"], Protocol):
    """One piece of work with a known total."""

    def advance(self, n: int) -> None:
        """Says that `n` more units are done."""
        ...


class Progress(Protocol):
    """Shows tasks."""

    def task(self, label: str, total: int, unit: str) -> Task:
        """Begins a task of `total` units; `unit` is `bytes` or a plural noun."""
        ...


class _SilentTask:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def advance(self, n: int) -> None:
        pass


class _SilentProgress:
    def task(self, label: str, total: int, unit: str) -> Task:  # noqa: ARG002
        return _SilentTask()


NO_PROGRESS: Progress = _SilentProgress()
