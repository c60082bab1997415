"""Everything that one commit says, its signature checked."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from flair_client.encoding import (
    decode_delta,
    decode_manifest,
    decode_recipe,
    weights_digest,
)
from flair_client.errors import ObjectInvalid, UsageError
from flair_client.history.events import read_event_list
from flair_client.history.verify_models import verify_model_merge
from flair_client.history.verify_update import read_commit
from flair_client.ids import Address, Cid, CommitId, Digest
from flair_client.limits import MAX_RAW_BLOCK_SIZE
from flair_client.objects import (
    Commit,
    CommitKind,
    DType,
    Privacy,
    Revert,
    Role,
    StrategyRecord,
    TensorEncodingId,
    Training,
)
from flair_client.porcelain.checkout import manifest_of
from flair_client.porcelain.reading import Reading
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True)
class ShownTensor:
    """One tensor of a state.

    Attributes:
        n_bytes: in its own dtype, decoded.
        digest: of these bytes.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    role: Role
    encoding: TensorEncodingId
    n_bytes: int
    n_blocks: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class ShownWeights:
    """A whole state.

    Attributes:
        digest: names the state, however it is packed.
        n_bytes: of all tensors, decoded.
        scale_exp: unit of the exact integers is `2 ** (scale_exp - 24)`; None where the
            state has none.
    """

    digest: Digest
    n_values: int
    n_bytes: int
    n_blocks: int
    scale_exp: int | None
    tensors: tuple[ShownTensor, ...]


@dataclass(frozen=True, slots=True)
class ShownDeltaTensor:
    """What an update adds to one tensor; without blocks it adds nothing."""

    name: str
    shape: tuple[int, ...]
    n_blocks: int


@dataclass(frozen=True, slots=True)
class ShownDelta:
    """What an update adds.

    Attributes:
        bits: width of the integers.
        scale_exp: they are in units of `2 ** scale_exp`.
        l2: its length, in units of the weights.
    """

    bits: int
    scale_exp: int
    l2: float
    n_blocks: int
    tensors: tuple[ShownDeltaTensor, ...]


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of the recipe that the commit brings or names."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class ShownEvents:
    """The numbers of the program's events that the commit carries."""

    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One commit.

    Attributes:
        names: HEAD and branches that stand here.
        author: who signed it; the signature was checked.
        time: seconds since 1970, as the author claims.
        report: of a merge, as its author wrote it.
        n_bytes: of the commit itself.
        verified: whether the commit was found right on this machine.
        recomputed: whether a merge of models was made again here and is the same.
    """

    commit: CommitId
    names: tuple[str, ...]
    kind: CommitKind
    repo: Address
    branch: str
    parents: tuple[CommitId, ...]
    author: Address
    message: str
    time: int
    policy: Digest | None
    round_index: int | None
    training: Training | None
    metrics: Mapping[str, float]
    privacy: Privacy | None
    strategy: StrategyRecord | None
    reverts: Revert | None
    events: ShownEvents | None
    recipe: tuple[ShownFile, ...]
    weights: ShownWeights | None
    delta: ShownDelta | None
    report: Mapping[str, object] | None
    n_bytes: int
    verified: bool
    recomputed: bool = False


def show(
    reading: Reading,
    ref: str | None = None,
    *,
    recompute: bool = False,
    progress: Progress = NO_PROGRESS,
) -> Shown:
    """Reads a commit and what it names; tensors' own blocks are not read.

    Args:
        reading: where commits lie.
        ref: a branch, HEAD, digits of an id, `~N`; HEAD without it.
        recompute: make a merge of models again from its models, and compare.
        progress: counts bytes of that.

    Raises:
        RefUnknown: there is no such commit.
        SignatureInvalid: its author did not sign it.
        BlockMissing, DigestMismatch, ObjectInvalid: something cannot be read.
        VerificationError: a merge that was made again is another one.
        UsageError: it is no merge of models, and was to be made again.
    """
    store = reading.store
    commit_id = reading.resolve(ref)
    commit = read_commit(store, commit_id)
    if recompute:
        _recompute(store, commit_id, commit, progress)
    return Shown(
        commit=commit_id,
        names=reading.names_of(commit_id),
        kind=commit.kind,
        repo=commit.repo,
        branch=commit.branch,
        parents=commit.parents,
        author=commit.author,
        message=commit.message,
        time=commit.time,
        policy=commit.policy,
        round_index=commit.round_index,
        training=commit.training,
        metrics=commit.metrics or {},
        privacy=commit.privacy,
        strategy=commit.strategy,
        reverts=commit.reverts,
        events=_events(store, commit),
        recipe=_recipe(store, commit),
        weights=None if commit.weights is None else _weights(store, commit.weights),
        delta=None if commit.delta is None else _delta(store, commit.delta),
        report=None if commit.report is None else read_report(store, commit.report),
        n_bytes=len(store.get(commit_id.cid)),
        verified=commit_id in reading.verified,
        recomputed=recompute,
    )


def _recompute(
    store: Store, commit_id: CommitId, commit: Commit, progress: Progress
) -> None:
    if not commit.merges_models:
        raise UsageError(f"commit {commit_id.short} is no merge of models")
    head = manifest_of(store, commit.parents[0])
    verify_model_merge(store, commit_id, commit, head, progress=progress)


def read_report(store: Store, cid: Cid) -> dict[str, object]:
    """Reads a merge's report: a JSON object that nothing else depends on.

    Raises:
        ObjectInvalid: it is anything else.
    """
    block = store.get(cid, max_size=MAX_RAW_BLOCK_SIZE)
    try:
        report = json.loads(block.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise ObjectInvalid("report", "not JSON") from exc
    if not isinstance(report, dict):
        raise ObjectInvalid("report", "not a JSON object")
    return report


def _events(store: Store, commit: Commit) -> ShownEvents | None:
    if commit.events is None:
        return None
    listed = read_event_list(store, commit.events)
    return ShownEvents(listed.first_seq, listed.first_seq + len(listed.events) - 1)


def _recipe(store: Store, commit: Commit) -> tuple[ShownFile, ...]:
    if commit.recipe is None:
        return ()
    files = decode_recipe(store.get(commit.recipe)).files
    return tuple(ShownFile(file.path, file.size) for file in files)


def _weights(store: Store, cid: Cid) -> ShownWeights:
    manifest = decode_manifest(store.get(cid))
    tensors = tuple(
        ShownTensor(
            entry.name,
            entry.dtype,
            entry.shape,
            entry.role,
            entry.encoding,
            entry.n_bytes,
            len(entry.blocks),
            entry.digest,
        )
        for entry in manifest.tensors
    )
    return ShownWeights(
        weights_digest(manifest),
        sum(entry.n_values for entry in manifest.tensors),
        sum(one.n_bytes for one in tensors),
        sum(one.n_blocks for one in tensors),
        manifest.scale_exp,
        tensors,
    )


def _delta(store: Store, cid: Cid) -> ShownDelta:
    delta = decode_delta(store.get(cid))
    tensors = tuple(
        ShownDeltaTensor(one.name, one.shape, len(one.blocks)) for one in delta.tensors
    )
    return ShownDelta(
        delta.bits,
        delta.scale_exp,
        math.sqrt(delta.norm_sq) * 2.0**delta.scale_exp,
        sum(one.n_blocks for one in tensors),
        tensors,
    )
