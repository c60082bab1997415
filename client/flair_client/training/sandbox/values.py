"""What a sandbox is asked, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

SandboxKind: TypeAlias = Literal["bwrap", "namespaces"]
EndedBy: TypeAlias = Literal[
    "exit", "time", "memory", "processes", "scratch", "output", "signal"
]


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What a program may take, all its processes together.

    Attributes:
        max_seconds: by the clock on the wall.
        max_memory_bytes: that are its own, shared memory included.
        max_processes: with threads.
        max_scratch_bytes: in its folder.
    """

    max_seconds: float
    max_memory_bytes: int
    max_processes: int
    max_scratch_bytes: int


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended.

    Attributes:
        exit_code: its own; the signal's number, negative, where a signal ended it.
        ended_by: `exit`, `signal`, or the limit at which it was stopped.
        stderr_tail: the last that it wrote on its standard error.
    """

    exit_code: int
    ended_by: EndedBy
    stderr_tail: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program that a template stands ready for.

    Attributes:
        argv: of the template, by its whole path.
        stamp: changes when what it imports does.
    """

    argv: tuple[str, ...]
    stamp: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A program to run.

    Attributes:
        readable: files and folders that it sees, besides Python and the system's
            libraries.
        scratch: the one folder that it can write.
        env: its whole environment.
        on_line: hears each line of its standard output.
        device: other than `cpu`, graphics devices are visible.
        prepared: see `keeping`.
    """

    argv: Sequence[str]
    readable: Sequence[Path]
    scratch: Path
    limits: SandboxLimits
    env: Mapping[str, str] = field(default_factory=dict)
    on_line: Callable[[str], None] = lambda _: None
    device: str = "cpu"
    prepared: Prepared | None = None
