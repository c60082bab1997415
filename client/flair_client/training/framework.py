"""What differs between NumPy and PyTorch where a recipe or a program trains."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flair_client.errors import UsageError

TORCH = "torch"


def load_values(path: Path, ties: Mapping[str, str], framework: str) -> dict[str, Any]:
    """Reads a safetensors file: tensors of PyTorch, or arrays.

    Tied names are there twice, as in a state dict.
    """
    values: dict[str, Any]
    if framework == TORCH:
        from safetensors.torch import load_file

        values = dict(load_file(path))
    else:
        from safetensors.numpy import load_file as load_arrays

        values = dict(load_arrays(path))
    for left_out, kept in ties.items():
        values[left_out] = values[kept]
    return values


def choose_device(asked: str, framework: str) -> str:
    """Gives the device that training runs on; `auto` is the fastest that is there.

    Raises:
        UsageError: this machine, or this framework, has no such device.
    """
    if framework != TORCH:
        if asked not in ("auto", "cpu"):
            raise UsageError(f"only code that uses PyTorch can train on {asked}")
        return "cpu"
    import torch

    has = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if asked == "auto":
        return next(name for name, is_there in has.items() if is_there())
    if asked not in has or not has[asked]():
        raise UsageError(f"this machine has no device {asked}")
    return asked


def seed_everything(seed: int, framework: str) -> None:
    """Seeds Python, NumPy's old generator and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - for code that uses the old one
    if framework == TORCH:
        import torch

        torch.manual_seed(seed)
