"""Named tensors: safetensors files in and out of a store, one tensor at a time."""

from flair_client.weights.exporting import export_weights
from flair_client.weights.fingerprints import FingerprintCache
from flair_client.weights.importing import import_weights
from flair_client.weights.reading import (
    fixed_parts,
    load_fixed,
    load_tensor,
    tensor_chunks,
    value_parts,
)
from flair_client.weights.roles import RoleOf, roles_by_pattern
from flair_client.weights.safetensors_file import (
    SafetensorsFile,
    TensorSpan,
    read_safetensors,
)
from flair_client.weights.saving import digest_of_file, save_weights
from flair_client.weights.writing import FixedWriter

__all__ = [
    "FingerprintCache",
    "FixedWriter",
    "RoleOf",
    "SafetensorsFile",
    "TensorSpan",
    "digest_of_file",
    "export_weights",
    "fixed_parts",
    "import_weights",
    "load_fixed",
    "load_tensor",
    "read_safetensors",
    "roles_by_pattern",
    "save_weights",
    "tensor_chunks",
    "value_parts",
]
