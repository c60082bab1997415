"""The template of runs of recipes' code: `python -P -m … FRAMEWORK PARENT`.

See `sandbox.template`. It imports what `child` and the framework need, and nothing of a
recipe's.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np

from flair_client.training import child
from flair_client.training.sandbox.template import serve

# By framework. What PyTorch's optimisers import when the first one is made is half of
# the time that all of it takes.
_MODULES: Final = {
    "torch": ("torch", "torch._dynamo", "safetensors.torch"),
    "sklearn": ("sklearn.linear_model", "safetensors.numpy"),
}
_ELSE: Final = ("safetensors.numpy",)


def main(framework: str, parent: int) -> int:
    """Imports, and stands ready."""
    for name in _MODULES.get(framework, _ELSE):
        import_module(name)
    return serve(_run, parent)


def _run(argv: list[str]) -> int:
    # Python's own generator begins anew after a fork, and so it would with a start.
    np.random.seed()  # noqa: NPY002 - the one that a loader may use unseeded
    return child.main(Path(argv[-1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
