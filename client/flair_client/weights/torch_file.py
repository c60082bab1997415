"""PyTorch's state dicts, in and out of files, without running anything from them.

Only `torch.load(weights_only=True)` reads a file. Before version 2.6 that could be made
to run code (CVE-2025-32434), so that older versions are refused.
"""

import pickle
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from flair_client.encoding.rules import check_shape
from flair_client.errors import (
    ExtraMissing,
    NotStateDict,
    ObjectInvalid,
    UsageError,
)
from flair_client.objects import DType, Manifest, TensorEntry
from flair_client.store.base import Store
from flair_client.weights.exporting import header_of
from flair_client.weights.foreign import ForeignWeights, TensorSource, cut, ties_of
from flair_client.weights.reading import tensor_chunks
from flair_client.weights.replacing import replacing

_MIN_VERSION: Final = (2, 6)
# Where training scripts and Lightning put the state dict into a checkpoint.
_WRAPPERS: Final = ("state_dict", "model_state_dict", "model")
TORCH_NAMES: Final[Mapping[DType, str]] = {
    DType.F64: "float64",
    DType.F32: "float32",
    DType.F16: "float16",
    DType.BF16: "bfloat16",
    DType.I64: "int64",
    DType.I32: "int32",
    DType.I16: "int16",
    DType.I8: "int8",
    DType.U8: "uint8",
    DType.BOOL: "bool",
}
_DTYPES: Final = {f"torch.{name}": dtype for dtype, name in TORCH_NAMES.items()}


def import_torch() -> ModuleType:
    """Gives PyTorch.

    Raises:
        ExtraMissing: it is not installed, or too old to be safe.
    """
    try:
        torch = import_module("torch")
    except ModuleNotFoundError as exc:
        raise ExtraMissing("torch", "is not installed") from exc
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < _MIN_VERSION:
        raise ExtraMissing("torch", f"{torch.__version__} cannot load files safely")
    return torch


def read_torch(path: Path) -> ForeignWeights:
    """Reads a state dict, or the one in a checkpoint.

    Raises:
        UsageError: the file cannot be opened.
        NotStateDict: it holds a whole module, or something else.
        ObjectInvalid: it is damaged, or a tensor has no place in a model.
        ExtraMissing: PyTorch is not installed.
    """
    torch = import_torch()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
        with warnings.catch_warnings():
            # They advise to load files without weights_only.
            warnings.simplefilter("ignore")
            content = torch.load(
                path, map_location="cpu", weights_only=True, mmap=is_zip
            )
    except pickle.UnpicklingError as exc:
        raise NotStateDict(path.name, "holds a pickled object") from exc
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror or exc}") from exc
    except Exception as exc:
        # What a damaged file makes torch raise has no common class.
        if "TorchScript" in str(exc):
            raise NotStateDict(path.name, "holds a TorchScript module") from exc
        raise ObjectInvalid(path.name, f"cannot be read: {_first_line(exc)}") from exc
    return state_dict_weights(_state_dict(content, path.name), max_size=size)


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:200]


def _state_dict(content: Any, where: str) -> Mapping[Any, Any]:
    torch = import_torch()
    if not isinstance(content, Mapping):
        raise NotStateDict(where, f"holds one {type(content).__name__}")
    for name in _WRAPPERS:
        if isinstance(content.get(name), Mapping):
            return content[name]  # type: ignore[no-any-return]
    if not any(isinstance(value, torch.Tensor) for value in content.values()):
        raise NotStateDict(where, "holds no tensor by name")
    return content


def state_dict_weights(
    state: Mapping[Any, Any], *, max_size: int | None = None
) -> ForeignWeights:
    """Weights from a state dict in memory; tensors that are one are tied.

    Args:
        state: as `module.state_dict()` gives it.
        max_size: of one tensor in bytes, where it is known that none can have more.

    Raises:
        ObjectInvalid: an entry is no tensor, or has no place in a model.
    """
    torch = import_torch()
    tensors = []
    ties: dict[str, str] = {}
    places: dict[tuple[Any, ...], str] = {}
    for name, tensor in state.items():
        where = f"tensor {str(name)[:80]!r}"
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ObjectInvalid(where, f"is {type(tensor).__name__}, not a tensor")
        source = _source(name, tensor, where, max_size)
        place = _place(tensor)
        if tensor.numel() and place in places:
            ties[name] = places[place]
            continue
        places[place] = name
        tensors.append(source)
    return ForeignWeights(tuple(tensors), ties)


def _place(tensor: Any) -> tuple[Any, ...]:
    return (
        tensor.untyped_storage().data_ptr(),
        tensor.storage_offset(),
        tuple(tensor.shape),
        tensor.stride(),
        tensor.dtype,
    )


def _source(name: str, tensor: Any, where: str, max_size: int | None) -> TensorSource:
    torch = import_torch()
    dtype = _DTYPES.get(str(tensor.dtype))
    if dtype is None or tensor.is_quantized:
        raise ObjectInvalid(where, f"dtype {tensor.dtype} cannot be in a model")
    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise ObjectInvalid(where, "has no plain values")
    shape = tuple(int(size) for size in tensor.shape)
    check_shape(shape, dtype.item_size, where)
    n_bytes = tensor.numel() * dtype.item_size
    if max_size is not None and n_bytes > max_size:
        # One value may stand for many; such a tensor could fill any memory.
        raise ObjectInvalid(where, f"has {n_bytes} bytes, its file {max_size}")

    def chunks() -> Iterator[memoryview]:
        if not tensor.numel():
            return iter(())
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        return cut(flat.numpy().data)

    return TensorSource(name, dtype, shape, chunks)


def load_state_dict(manifest: Manifest, store: Store) -> dict[str, Any]:
    """Weights as a state dict, tied names tied again.

    Raises:
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
        ExtraMissing: PyTorch is not installed.
    """
    ties = ties_of(header_of(manifest, store))
    state = {entry.name: _tensor(manifest, entry, store) for entry in manifest.tensors}
    for left_out, kept in ties.items():
        state[left_out] = state[kept]
    return dict(sorted(state.items()))


def _tensor(manifest: Manifest, entry: TensorEntry, store: Store) -> Any:
    torch = import_torch()
    dtype = getattr(torch, TORCH_NAMES[entry.dtype])
    tensor = torch.empty(entry.shape, dtype=dtype)
    at = 0
    for chunk in tensor_chunks(manifest, entry, store):
        part = torch.frombuffer(bytearray(chunk), dtype=dtype)
        tensor.view(-1)[at : at + part.numel()] = part
        at += part.numel()
    return tensor


def write_torch(manifest: Manifest, store: Store, path: Path) -> None:
    """Writes the weights as a state dict file: whole, or not at all.

    The whole model is in memory meanwhile.

    Raises:
        As `load_state_dict`.
        OSError: the file cannot be written.
    """
    torch = import_torch()
    state = load_state_dict(manifest, store)
    with replacing(path) as file:
        torch.save(state, file)
