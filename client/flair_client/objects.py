"""What the store holds, as frozen values: commits, manifests, deltas, recipes, events.

No I/O, no bytes and no rules here: `encoding` turns these into canonical bytes and
checks every rule on the way in and on the way out. Fields are tabled in
docs/protocol.md, section 5. A field that is None is left out of the bytes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from flair_client.commit_kind import CommitKind as CommitKind  # noqa: PLC0414 - ours
from flair_client.ids import Address, Cid, CommitId, Digest


class DType(StrEnum):
    """Types of tensor elements, named as safetensors names them."""

    F64 = "F64"
    F32 = "F32"
    F16 = "F16"
    BF16 = "BF16"
    I64 = "I64"
    I32 = "I32"
    I16 = "I16"
    I8 = "I8"
    U8 = "U8"
    BOOL = "BOOL"

    @property
    def item_size(self) -> int:
        """Bytes of one element."""
        return _ITEM_SIZES[self]

    @property
    def is_float(self) -> bool:
        """Whether values of this type can be trained or averaged."""
        return self in _FLOATS


_ITEM_SIZES = {
    DType.F64: 8,
    DType.F32: 4,
    DType.F16: 2,
    DType.BF16: 2,
    DType.I64: 8,
    DType.I32: 4,
    DType.I16: 2,
    DType.I8: 1,
    DType.U8: 1,
    DType.BOOL: 1,
}
_FLOATS = frozenset((DType.F64, DType.F32, DType.F16, DType.BF16))


class Role(StrEnum):
    """What happens to a tensor in a round."""

    TRAIN = "train"
    AVERAGE = "average"
    LOCAL = "local"
    FROZEN = "frozen"

    @property
    def is_shared(self) -> bool:
        """Whether deltas carry the tensor and merges change it."""
        return self in (Role.TRAIN, Role.AVERAGE)


class RevertKind(StrEnum):
    """What a revert takes back."""

    MERGE = "merge"
    CONTRIBUTOR = "contributor"
    REPLAY = "replay"
    SINCE = "since"


class TensorEncodingId(StrEnum):
    """How a manifest's tensor lies in its blocks (see `tensor_encodings`)."""

    RAW = "raw"
    ZSTD = "zstd"
    FIXED = "fixed"


class DeltaEncodingId(StrEnum):
    """How a delta's tensor lies in its blocks (see `delta_encodings`)."""

    DENSE = "dense"
    ZERO = "zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How an update was trained.

    Attributes:
        samples_bucket: the number of samples, rounded to a bucket that hides it.
        epochs: passes over the data.
        framework: name and version of what trained, as `numpy 2.1.0`.
        seed: seed of everything random in the run.
    """

    samples_bucket: int
    epochs: int
    framework: str
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What was done to protect the data behind an update.

    Attributes:
        mode: privacy mode of the policy.
        clip: L2 norm that the update was clipped to, in weight units.
        noise_multiplier: deviation of the noise divided by the clipping norm.
        epsilon: privacy loss; with `delta` and `accountant`, or not at all.
        delta: probability that the loss is larger.
        accountant: how epsilon was counted.
    """

    mode: str
    clip: float | None = None
    noise_multiplier: float | None = None
    epsilon: float | None = None
    delta: float | None = None
    accountant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRecord:
    """How a merge combined its updates, or its models.

    Attributes:
        id: the name of the strategy, or of the method that merges models.
        params: its parameters, integers only.
        weights: of each update, in the order of `parents[1:]`; in a merge of models
            the weight of each in billionths, in the order of `parents`, or of
            `parents[1:]` where the head is no model.
        base: of a merge of models: what their changes are counted from.
    """

    id: str
    params: Mapping[str, int]
    weights: tuple[int, ...]
    base: CommitId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert:
    """What a revert takes back.

    Attributes:
        kind: a whole merge, or one contributor's term of it.
        commit: the merge that is taken back, or that holds the term.
        update: the update whose term is taken back; None for a whole merge.
    """

    kind: RevertKind
    commit: CommitId
    update: CommitId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One point in history, signed by its author. Rules: `encoding.rules`."""

    v: int = 1
    kind: CommitKind
    repo: Address
    branch: str
    parents: tuple[CommitId, ...] = ()
    author: Address
    message: str
    time: int
    policy: Digest | None = None
    round_index: int | None = None
    weights: Cid | None = None
    delta: Cid | None = None
    recipe: Cid | None = None
    training: Training | None = None
    metrics: Mapping[str, float] | None = None
    privacy: Privacy | None = None
    strategy: StrategyRecord | None = None
    strategy_state: Cid | None = None
    report: Cid | None = None
    proof: Cid | None = None
    opening: Cid | None = None
    events: Cid | None = None
    reverts: Revert | None = None
    signature: bytes = b""

    @property
    def merges_models(self) -> bool:
        """Whether it merges models by a method, and not the updates of a round."""
        is_merge = self.kind is CommitKind.MERGE
        return is_merge and self.round_index is None and self.policy is None


class LightEncodingId(StrEnum):
    """How the light form of a tensor lies in its blocks (see `tensor_encodings`)."""

    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A smaller form of a frozen tensor, for those who only compute with it.

    Attributes:
        digest: of its chunks before they were packed.
        blocks: raw blocks, in order.
    """

    encoding: LightEncodingId
    digest: Digest
    blocks: tuple[Cid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """One tensor of a manifest.

    Attributes:
        digest: of the little-endian bytes in `dtype`, whatever the encoding.
        blocks: raw blocks, in order.
        fixed_digest: of the exact 64-bit integers; only with encoding `fixed`, where
            `digest` alone would not name the state.
        light: its light form, where there is one; no part of the state.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    role: Role
    digest: Digest
    encoding: TensorEncodingId
    blocks: tuple[Cid, ...]
    fixed_digest: Digest | None = None
    light: Light | None = None

    @property
    def n_values(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Size in its own dtype."""
        return self.n_values * self.dtype.item_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The safetensors header that the weights came with.

    With it an export has the uploaded file's order and metadata, and the export of a
    root is the uploaded file byte for byte.

    Attributes:
        header_size: bytes of the JSON header, without the eight bytes of length.
        blocks: the header, in raw blocks.
    """

    header_size: int
    blocks: tuple[Cid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All tensors of a model, in name order.

    Attributes:
        scale_exp: unit of the exact integers: `2 ** (scale_exp - 24)`. Set exactly
            when a tensor has encoding `fixed`.
    """

    v: int = 1
    tensors: tuple[TensorEntry, ...]
    scale_exp: int | None = None
    source: Source | None = None

    def by_name(self) -> dict[str, TensorEntry]:
        """Entries by tensor name."""
        return {entry.name: entry for entry in self.tensors}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaTensor:
    """What an update adds to one tensor.

    Attributes:
        digest: of the int16 little-endian values, whatever the encoding.
    """

    name: str
    shape: tuple[int, ...]
    encoding: DeltaEncodingId
    digest: Digest
    blocks: tuple[Cid, ...]

    @property
    def n_values(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What an update adds to all shared tensors, bound to its place.

    Repository, branch, contributor, round, base and policy are inside, so that nobody
    can push another's delta, or an old one, as their own.

    Attributes:
        bits: signed width of the integers, 13 or 16.
        scale_exp: the integers are in units of `2 ** scale_exp`.
        norm_sq: sum of the squares of all integers.
    """

    v: int = 1
    repo: Address
    branch: str
    contributor: Address
    round_index: int
    base: CommitId
    policy: Digest
    bits: int
    scale_exp: int
    norm_sq: int
    tensors: tuple[DeltaTensor, ...]

    def by_name(self) -> dict[str, DeltaTensor]:
        """Tensors by name."""
        return {tensor.name: tensor for tensor in self.tensors}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventList:
    """Raw program events `first_seq`, `first_seq + 1`, …, without the prefix."""

    v: int = 1
    first_seq: int
    events: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeFile:
    """One file of a recipe; its content is the raw block."""

    path: str
    size: int
    cid: Cid


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The files that say how to train, in path order."""

    v: int = 1
    files: tuple[RecipeFile, ...]
