"""Runs programs that are not trusted: no network, one folder to write, limits.

The program sees Python, the system's libraries and the paths that it is given, all
read-only, and its own scratch folder; no network, no other process, no home. It is
stopped when it takes more time, memory, processes or disk than it may, all its
processes together. It is made of the kernel's user namespaces, and needs no right:
by bubblewrap where that is installed, else by a launcher of our own.
"""

from flair_client.training.sandbox.choosing import find_sandbox, run
from flair_client.training.sandbox.keeping import keep_template
from flair_client.training.sandbox.values import (
    EndedBy,
    Finished,
    Prepared,
    SandboxKind,
    SandboxLimits,
)

__all__ = [
    "EndedBy",
    "Finished",
    "Prepared",
    "SandboxKind",
    "SandboxLimits",
    "find_sandbox",
    "keep_template",
    "run",
]
