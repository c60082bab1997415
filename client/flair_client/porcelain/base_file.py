"""The weights that training begins with, as a file beside it; no verb itself."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flair_client.arithmetic import bytes_from_values, values_from_bytes
from flair_client.context import Context
from flair_client.objects import DType
from flair_client.porcelain.form import is_light, takes_light
from flair_client.porcelain.local_tensors import write_base
from flair_client.porcelain.trained import Given
from flair_client.weights import (
    SafetensorsFile,
    TensorSpan,
    export_weights,
    read_safetensors,
)
from flair_client.weights.foreign import (
    ForeignWeights,
    TensorSource,
    cut,
    save_foreign,
    ties_of,
)
from flair_client.workspace import Workspace


def scratch_folder(workspace: Workspace) -> Path:
    """The folder for what is needed while training runs."""
    folder = workspace.state_folder / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


def base_file(ctx: Context, workspace: Workspace, given: Given) -> Path:
    """Writes the model at HEAD with the contributor's own local tensors in it."""
    folder = scratch_folder(workspace)
    clean, path = folder / "head.safetensors", folder / "base.safetensors"
    export_weights(
        given.manifest,
        given.store,
        clean,
        takes_light=is_light(given.recipe, given.manifest, takes_light(workspace)),
        progress=ctx.progress,
    )
    write_base(workspace, given.terms.base, clean, path)
    clean.unlink()
    return path


def without_bf16(path: Path, target: Path) -> Path:
    """Gives a file that NumPy can hold: BF16 widened to F32, exactly.

    Args:
        path: given back where it has no BF16.
        target: written otherwise.
    """
    with read_safetensors(path) as file:
        spans = file.header.spans.values()
        if not any(span.dtype is DType.BF16 for span in spans):
            return path
        sources = tuple(_widened(file, span) for span in spans)
        save_foreign(target, ForeignWeights(sources, ties_of(file.header)))
    return target


def _widened(file: SafetensorsFile, span: TensorSpan) -> TensorSource:
    is_wide = span.dtype is not DType.BF16

    def chunks() -> Iterator[bytes | memoryview]:
        for part in cut(file.tensor(span.name)):
            if is_wide:
                yield part
            else:
                values = values_from_bytes(part, DType.BF16).astype(np.float32)
                yield bytes_from_values(values, DType.F32)

    dtype = span.dtype if is_wide else DType.F32
    return TensorSource(span.name, dtype, span.shape, chunks)
