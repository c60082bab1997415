"""The process that a recipe's code runs in: program, environment, and template.

Used by `recipe_run`. What is in there is `training.child`.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Final

from flair_client.training.sandbox import Prepared

_CHILD: Final = "flair_client.training.child"
_TEMPLATE: Final = "flair_client.training.child_template"
_NUMPY: Final = "numpy"


def command_of(spec: Path) -> list[str]:
    """Program and arguments that run what a file describes."""
    return [sys.executable, "-P", "-m", _CHILD, str(spec)]


def template_of(framework: str) -> Prepared:
    """The same, ready to be begun from what it imports; empty for no framework."""
    name = framework or _NUMPY
    return Prepared((sys.executable, "-P", "-m", _TEMPLATE, name), _installed(name))


def _installed(framework: str) -> tuple[object, ...]:
    """Changes when what a template has imported is installed anew."""
    found: list[object] = []
    for name in ("flair_client", _NUMPY, framework):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            file = Path(spec.origin).stat()
            found += [spec.origin, file.st_mtime_ns, file.st_ino]
    return tuple(found)


def environment(seed: int, scratch: Path) -> dict[str, str]:
    """What the child sees of the environment: nothing of the user's."""
    package = Path(__file__).parents[2]
    env = {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "PATH": os.defpath,
        # Nobody's: there may be no list of users to ask.
        "USER": "flair",
        "PYTHONHASHSEED": str(seed % 2**32),
        "PYTHONDONTWRITEBYTECODE": "1",
        # What PyTorch asks for where it is told to be deterministic on a GPU.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        # Where glibc's allocator arrives in a process that lives long. Each run is a
        # process of its own, and would begin by handing every large array's memory
        # back to the system, only to ask for it again a step later.
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    }
    if "site-packages" not in package.parts:
        env["PYTHONPATH"] = str(package)
    return env
