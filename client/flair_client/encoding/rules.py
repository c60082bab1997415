"""Rules between the fields of one object. Rules of one field are in `schemas`."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import PurePosixPath

from flair_client.errors import ObjectInvalid
from flair_client.limits import (
    MAX_RAW_BLOCK_SIZE,
    MAX_TENSOR_SIZE,
    MAX_WEIGHT,
)
from flair_client.objects import (
    Commit,
    CommitKind,
    Delta,
    DeltaEncodingId,
    DeltaTensor,
    DType,
    Light,
    Manifest,
    Privacy,
    Recipe,
    RecipeFile,
    Revert,
    RevertKind,
    Role,
    Source,
    StrategyRecord,
    TensorEncodingId,
    TensorEntry,
)

# Values of one block before compression. Half a block for `fixed` and `dense`, which
# are always compressed: zstd may add a little to bytes that do not compress.
RAW_CHUNK_SIZE = MAX_RAW_BLOCK_SIZE
PACKED_CHUNK_SIZE = MAX_RAW_BLOCK_SIZE // 2
FIXED_ITEM_SIZE = 8
DENSE_ITEM_SIZE = 2
# Values of one block of the light form, and of a group with one scale.
INT8_CHUNK_VALUES = 1 << 18
INT8_GROUP = 256
# Wider ones are no weights, and integers are exact or nothing.
LIGHT_DTYPES = (DType.F32, DType.F16, DType.BF16)


@dataclass(frozen=True, slots=True)
class KindRule:
    """Which optional fields of a commit one kind has."""

    n_parents: str
    required: frozenset[str]
    allowed: frozenset[str]


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


KIND_RULES = {
    CommitKind.ROOT: KindRule(
        "none", _names("weights recipe events"), _names("policy metrics report")
    ),
    CommitKind.UPDATE: KindRule(
        "the base",
        _names("delta policy round_index"),
        _names("recipe training metrics privacy proof"),
    ),
    CommitKind.MERGE: KindRule(
        "the head, then the updates sorted by id",
        _names("weights policy round_index strategy events"),
        _names("recipe metrics strategy_state report opening"),
    ),
    CommitKind.REVERT: KindRule(
        "the head",
        _names("weights reverts events"),
        _names("recipe policy metrics strategy_state report"),
    ),
    CommitKind.SNAPSHOT: KindRule(
        "the head",
        _names("weights events"),
        _names("recipe policy training metrics strategy_state report"),
    ),
}
# A merge of models belongs to no round; it has neither policy nor round_index.
MODEL_MERGE_RULE = KindRule(
    "the head, then the other models sorted by id",
    _names("weights strategy events"),
    _names("recipe metrics report"),
)
KIND_FIELDS = frozenset().union(
    *(rule.required | rule.allowed for rule in KIND_RULES.values())
)


def check_commit(commit: Commit, path: str) -> None:
    """Kind, parents and signature go together."""
    rule = MODEL_MERGE_RULE if commit.merges_models else KIND_RULES[commit.kind]
    for name in sorted(KIND_FIELDS):
        given = getattr(commit, name) is not None
        if given and name not in rule.required | rule.allowed:
            reason = f"a commit of kind {commit.kind.value} has no such field"
            raise ObjectInvalid(f"{path}.{name}", reason)
        if not given and name in rule.required:
            reason = f"missing in a commit of kind {commit.kind.value}"
            raise ObjectInvalid(f"{path}.{name}", reason)
    _check_parents(commit, path)
    if commit.strategy is not None:
        _check_strategy(commit, commit.strategy, f"{path}.strategy")


def _check_strategy(commit: Commit, strategy: StrategyRecord, path: str) -> None:
    n_weights, n_others = len(strategy.weights), len(commit.parents) - 1
    where = f"{path}.weights"
    if commit.merges_models:
        if n_weights not in (n_others, n_others + 1):
            reason = f"{n_weights} weights for {n_others} models beside the head"
            raise ObjectInvalid(where, reason)
        return
    if strategy.base is not None:
        raise ObjectInvalid(f"{path}.base", "a merge of updates has no such field")
    if n_weights != n_others:
        raise ObjectInvalid(where, f"{n_weights} weights for {n_others} updates")
    for i, weight in enumerate(strategy.weights):
        if not 1 <= weight <= MAX_WEIGHT or weight.bit_count() != 1:
            reason = f"{weight} is no power of two, 1 to {MAX_WEIGHT}"
            raise ObjectInvalid(f"{where}[{i}]", reason)


def _check_parents(commit: Commit, path: str) -> None:
    n_parents = len(commit.parents)
    kind = commit.kind
    where = f"{path}.parents"
    if kind is CommitKind.MERGE:
        if n_parents < 2:
            raise ObjectInvalid(where, "a merge has a head and at least one more")
        head, *updates = commit.parents
        for i, (left, right) in enumerate(pairwise(updates), start=2):
            if not left < right:
                raise ObjectInvalid(f"{where}[{i}]", "not sorted by id, or twice")
        if head in updates:
            at = updates.index(head) + 1
            raise ObjectInvalid(f"{where}[{at}]", "the head, once more")
        return
    expected = 0 if kind is CommitKind.ROOT else 1
    if n_parents != expected:
        reason = f"{n_parents} parents, a commit of kind {kind.value} has {expected}"
        raise ObjectInvalid(where, reason)


def check_revert(revert: Revert, path: str) -> None:
    """An update is named exactly where one contributor is taken back or left out."""
    whole = revert.kind in (RevertKind.MERGE, RevertKind.SINCE)
    if (revert.update is None) != whole:
        reason = f"does not go with kind {revert.kind.value}"
        raise ObjectInvalid(f"{path}.update", reason)


def check_privacy(privacy: Privacy, path: str) -> None:
    """Epsilon means nothing without delta and accountant."""
    given = [
        value is not None
        for value in (privacy.epsilon, privacy.delta, privacy.accountant)
    ]
    if any(given) and not all(given):
        reason = "epsilon, delta and accountant come together"
        raise ObjectInvalid(path, reason)
    if privacy.delta is not None and privacy.delta > 1:
        raise ObjectInvalid(f"{path}.delta", f"{privacy.delta} is above 1")


def count_blocks(n_bytes: int, chunk_size: int) -> int:
    """Blocks that so many bytes are cut into; none for no bytes."""
    return -(-n_bytes // chunk_size)


def expected_blocks(entry: TensorEntry) -> int:
    """Number of blocks of a manifest's tensor, which its size determines."""
    if entry.encoding is TensorEncodingId.FIXED:
        return count_blocks(entry.n_values * FIXED_ITEM_SIZE, PACKED_CHUNK_SIZE)
    return count_blocks(entry.n_bytes, RAW_CHUNK_SIZE)


def can_be_light(entry: TensorEntry) -> bool:
    """Whether a tensor may have a light form: no integers, and nobody trains it."""
    is_small = entry.role is Role.FROZEN and entry.dtype in LIGHT_DTYPES
    return is_small and entry.n_values > 0


def int8_chunk_size(n_values: int) -> int:
    """Bytes of so many values of one block: a scale for each group, a byte each."""
    return -(-n_values // INT8_GROUP) * 4 + n_values


def expected_light_blocks(entry: TensorEntry) -> int:
    """Number of blocks of a tensor's light form, which its shape determines."""
    return count_blocks(entry.n_values, INT8_CHUNK_VALUES)


def expected_delta_blocks(tensor: DeltaTensor) -> int:
    """Number of blocks of a delta's tensor, which its size determines."""
    if tensor.encoding is DeltaEncodingId.ZERO:
        return 0
    return count_blocks(tensor.n_values * DENSE_ITEM_SIZE, PACKED_CHUNK_SIZE)


def check_shape(shape: tuple[int, ...], item_size: int, path: str) -> None:
    """A tensor of this shape is not too large, nor would it be with zeros as ones.

    NumPy counts the other dimensions of an empty array, too.
    """
    n_bytes = prod(max(1, size) for size in shape) * item_size
    if n_bytes > MAX_TENSOR_SIZE:
        reason = f"{n_bytes} bytes, at most {MAX_TENSOR_SIZE} are allowed"
        raise ObjectInvalid(path, reason)


def check_tensor_entry(entry: TensorEntry, path: str) -> None:
    """Size, encoding, dtype, role and blocks agree."""
    where = f"{path} ({entry.name!r})"
    check_shape(entry.shape, entry.dtype.item_size, f"{where}.shape")
    if entry.role.is_shared and not entry.dtype.is_float:
        reason = f"{entry.dtype.value} cannot have role {entry.role.value}"
        raise ObjectInvalid(f"{where}.role", reason)
    is_fixed = entry.encoding is TensorEncodingId.FIXED
    if is_fixed and not entry.role.is_shared:
        reason = f"fixed does not go with role {entry.role.value}"
        raise ObjectInvalid(f"{where}.encoding", reason)
    if is_fixed != (entry.fixed_digest is not None):
        reason = "given exactly with encoding fixed"
        raise ObjectInvalid(f"{where}.fixed_digest", reason)
    n_blocks = expected_blocks(entry)
    if len(entry.blocks) != n_blocks:
        reason = f"{len(entry.blocks)} blocks, its size needs {n_blocks}"
        raise ObjectInvalid(f"{where}.blocks", reason)
    if entry.light is not None:
        _check_light(entry, entry.light, where)


def _check_light(entry: TensorEntry, light: Light, where: str) -> None:
    if not can_be_light(entry):
        reason = f"{entry.dtype.value} with role {entry.role.value} has no light form"
        raise ObjectInvalid(f"{where}.light", reason)
    n_blocks = expected_light_blocks(entry)
    if len(light.blocks) != n_blocks:
        reason = f"{len(light.blocks)} blocks, its size needs {n_blocks}"
        raise ObjectInvalid(f"{where}.light.blocks", reason)


def check_source(source: Source, path: str) -> None:
    """The header fits its blocks."""
    n_blocks = count_blocks(source.header_size, RAW_CHUNK_SIZE)
    if len(source.blocks) != n_blocks:
        reason = f"{len(source.blocks)} blocks, its size needs {n_blocks}"
        raise ObjectInvalid(f"{path}.blocks", reason)


def _check_sorted(names: list[str], path: str) -> None:
    for i, (left, right) in enumerate(pairwise(names), start=1):
        if left == right:
            raise ObjectInvalid(f"{path}[{i}]", f"{right!r} comes twice")
        if left > right:
            raise ObjectInvalid(f"{path}[{i}]", f"{right!r} is not in order")


def check_manifest(manifest: Manifest, path: str) -> None:
    """Tensors in name order; a scale exactly when one is fixed."""
    _check_sorted([entry.name for entry in manifest.tensors], f"{path}.tensors")
    has_fixed = any(
        entry.encoding is TensorEncodingId.FIXED for entry in manifest.tensors
    )
    if has_fixed != (manifest.scale_exp is not None):
        reason = "given exactly when a tensor has encoding fixed"
        raise ObjectInvalid(f"{path}.scale_exp", reason)


def check_delta_tensor(tensor: DeltaTensor, path: str) -> None:
    """Size and blocks agree."""
    where = f"{path} ({tensor.name!r})"
    check_shape(tensor.shape, FIXED_ITEM_SIZE, f"{where}.shape")
    n_blocks = expected_delta_blocks(tensor)
    if len(tensor.blocks) != n_blocks:
        reason = f"{len(tensor.blocks)} blocks, its size needs {n_blocks}"
        raise ObjectInvalid(f"{where}.blocks", reason)


def check_delta(delta: Delta, path: str) -> None:
    """Tensors in name order; a width that exists."""
    _check_sorted([tensor.name for tensor in delta.tensors], f"{path}.tensors")
    if delta.bits not in (13, 16):
        raise ObjectInvalid(f"{path}.bits", f"{delta.bits} is neither 13 nor 16")


def check_recipe_file(file: RecipeFile, path: str) -> None:
    """The path stays inside the folder, on every system."""
    where = f"{path}.path"
    parts = file.path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in file.path:
        raise ObjectInvalid(where, f"{file.path!r} is not a plain relative path")
    if ":" in file.path or any(part != part.strip(" .") for part in parts[:-1]):
        raise ObjectInvalid(where, f"{file.path!r} is not a plain relative path")
    if parts[0].casefold() in (".flair", ".git"):
        raise ObjectInvalid(where, f"{file.path!r} is in a folder kept by tools")


def check_recipe(recipe: Recipe, path: str) -> None:
    """Paths in order, none twice (on any system), none both file and folder."""
    names = [file.path for file in recipe.files]
    _check_sorted(names, f"{path}.files")
    folded = [name.casefold() for name in names]
    folders = {str(folder) for name in folded for folder in PurePosixPath(name).parents}
    seen: set[str] = set()
    for i, name in enumerate(folded):
        if name in seen or name in folders:
            reason = f"{names[i]!r} clashes with another path"
            raise ObjectInvalid(f"{path}.files[{i}]", reason)
        seen.add(name)
