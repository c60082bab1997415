"""Merges models into the next commit of a branch, by a method; nothing is sent.

Whoever has the commit makes the same weights again: `flair verify` does, and
`flair show --recompute`. Formulas and bytes: docs/merging.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from flair_client.context import Context
from flair_client.encoding import commit_id as id_of
from flair_client.encoding import encode_commit, encode_event_list, sign_commit
from flair_client.errors import (
    BlockMissing,
    ObjectInvalid,
    StaleBase,
    UsageError,
    WorkspaceError,
)
from flair_client.history.diff import TensorDiff, diff_weights
from flair_client.history.events import events_for_commit
from flair_client.history.graph import LookupParents, merge_bases, read_commit
from flair_client.history.verify_update import read_commit as read_signed_commit
from flair_client.ids import CODEC_DAG_CBOR, CommitId
from flair_client.merging import (
    Asked,
    MergeSpec,
    Side,
    get_method,
    make_spec,
    merge_models,
)
from flair_client.merging.record import inputs_of, record_of
from flair_client.merging.spec import number_text, param_texts
from flair_client.objects import Commit, CommitKind, Manifest
from flair_client.porcelain.advance import require_right_to_advance
from flair_client.porcelain.checkout import blocks_of, manifest_of, put_manifest
from flair_client.porcelain.commit import PENDING
from flair_client.porcelain.reading import Reading
from flair_client.porcelain.revert_plan import WeightsChange, change_between
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.transfer import blocks_of_commit
from flair_client.store import DiskStore
from flair_client.store.base import Store
from flair_client.store.layered import LayeredStore
from flair_client.store.scratch import Scratch
from flair_client.workspace import Workspace

_SCRATCH: Final = "scratch"


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model as it was typed: where it lies, and what it is called there."""

    text: str
    reading: Reading
    ref: str | None


@dataclass(frozen=True, slots=True)
class MergeAsked:
    """What was typed.

    Attributes:
        models: one alone is merged with HEAD.
        params: by name.
        weights: one for each model; empty for 1 each.
        base: without one the models' common ancestor, where the method needs a base.
    """

    method: str
    models: Sequence[NamedModel]
    params: Mapping[str, str] = field(default_factory=dict)
    weights: Sequence[str] = ()
    base: NamedModel | None = None
    seed: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class MergedModel:
    """One model of a merge.

    Attributes:
        name: as it was typed.
        weight: as it is recorded, in decimals.
        verified: whether it was found right on this machine.
    """

    name: str
    commit: CommitId
    weight: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedModels:
    """A signed merge, or what it would be.

    Attributes:
        commit: the merge; None with a dry run.
        head: the commit that it is made on, whether it is one of the models or not.
        params: all of them, also those that were not given.
        models: in the order in which they are merged.
        change: from the head to the merge.
        tensors: the same, one by one.
        n_bytes, n_blocks: what a push sends and the head does not bring; 0 with a dry
            run.
    """

    commit: CommitId | None
    branch: str
    head: CommitId
    method: str
    params: Mapping[str, str]
    models: tuple[MergedModel, ...]
    base: CommitId | None
    message: str
    change: WeightsChange
    tensors: tuple[TensorDiff, ...]
    n_bytes: int
    n_blocks: int


@dataclass(frozen=True, slots=True)
class _Named:
    """A model that was found."""

    text: str
    commit: CommitId
    verified: bool


def merge(
    ctx: Context, workspace: Workspace, asked: MergeAsked, *, dry_run: bool = False
) -> MergedModels:
    """Merges models on top of HEAD and keeps the commit for `flair push`.

    Args:
        ctx: with the wallet of the owner, or of a holder of the role `administer`; a
            dry run needs neither wallet nor chain.
        workspace: stands at the branch's head.
        asked: what to merge, and how.
        dry_run: only tells what would change; signs and keeps nothing.

    Raises:
        UsageError: the method does not take these models or parameters, or no common
            base is known.
        ModelsDiffer: two sides have other tensors; names tensor and both.
        NotFinite, OutOfRange: a model, or what comes out, is no number.
        Refused: the wallet may not move the branch.
        StaleBase: HEAD is not the branch's head.
    """
    with workspace.lock():
        head = workspace.head()
        if head is None or head.commit is None:
            raise WorkspaceError("nothing was checked out here yet")
        store = blocks_of(ctx, workspace)
        place = None if dry_run else _place(ctx, workspace, head.branch, head.commit)
        models = _models(store, asked, head.commit)
        spec = make_spec(
            Asked(
                asked.method,
                [one.commit for one in models],
                asked.params,
                asked.weights,
                _base(store, asked, [one.commit for one in models]),
                asked.seed,
            )
        )
        message = asked.message or _message(asked, models)
        form = Side(head.commit, manifest_of(store, head.commit))
        with _room(workspace, store, dry_run=dry_run) as room:
            manifest = _merged(ctx, store, spec, form, room)
            change = change_between(room, form.manifest, manifest)
            tensors = tuple(diff_weights(room, form.manifest, manifest))
        commit_id = None
        n_bytes = n_blocks = 0
        if place is not None:
            commit_id = _sign(ctx, store, place, spec, manifest, message)
            workspace.set_marker(PENDING, {"kind": "merge", "commit": str(commit_id)})
            sizes = [one.size for one in blocks_of_commit(store, commit_id)]
            n_bytes, n_blocks = sum(sizes), len(sizes)
    return MergedModels(
        commit=commit_id,
        branch=head.branch,
        head=head.commit,
        method=spec.method,
        params=param_texts(spec),
        models=_told(spec, models),
        base=spec.base,
        message=message,
        change=change,
        tensors=tensors,
        n_bytes=n_bytes,
        n_blocks=n_blocks,
    )


def _place(
    ctx: Context, workspace: Workspace, branch: str, head: CommitId
) -> BranchTarget:
    place = find_repo(ctx, workspace.repo()).branch(branch)
    require_right_to_advance(place)
    if place.account.head_commit != head:
        raise StaleBase(
            f"HEAD is {head.short}, the branch is at {place.account.head_commit.short}"
        )
    return place


def _models(store: Store, asked: MergeAsked, head: CommitId) -> list[_Named]:
    if not asked.models:
        raise UsageError("name the models to merge")
    found = [_find(store, one) for one in asked.models]
    if len(found) == 1:
        return [_Named("HEAD", head, verified=True), *found]
    return found


def _find(store: Store, named: NamedModel) -> _Named:
    """Looks a model up, and brings here what lies elsewhere.

    Raises:
        SignatureInvalid: its author did not sign it.
        UsageError: it is an update and has no weights.
    """
    there = named.reading.store
    commit_id = named.reading.resolve(named.ref)
    commit = read_signed_commit(there, commit_id)
    manifest = manifest_of(there, commit_id)
    header = () if manifest.source is None else manifest.source.blocks
    weights = () if commit.weights is None else (commit.weights,)
    tensors = (cid for entry in manifest.tensors for cid in entry.blocks)
    with store.batch():
        for cid in (*header, *tensors, *weights, commit_id.cid):
            if not store.has(cid):
                store.put(cid.codec, there.get(cid))
    return _Named(named.text, commit_id, commit_id in named.reading.verified)


def _base(
    store: Store, asked: MergeAsked, models: Sequence[CommitId]
) -> CommitId | None:
    """The base that was named, or the nearest commit that all models come from."""
    if asked.base is not None:
        return _find(store, asked.base).commit
    if not get_method(asked.method).takes_base:
        return None
    lookup = _lookup([store, *(one.reading.store for one in asked.models)])
    try:
        common, *others = models
        for other in others:
            bases = merge_bases(lookup, common, other)
            if len(bases) != 1:
                raise UsageError(
                    f"{common.short} and {other.short} have {len(bases)} nearest "
                    "common ancestors, name the base that changes are counted from"
                )
            (common,) = bases
    except (BlockMissing, ObjectInvalid) as exc:
        raise UsageError(
            f"the models' history is not all here, name a base: {exc}"
        ) from exc
    return common


def _lookup(stores: Sequence[Store]) -> LookupParents:
    def parents(commit_id: CommitId) -> Sequence[CommitId]:
        *others, last = stores
        for store in others:
            if store.has(commit_id.cid):
                return read_commit(store, commit_id).parents
        return read_commit(last, commit_id).parents

    return parents


@contextmanager
def _room(
    workspace: Workspace, store: LayeredStore, *, dry_run: bool
) -> Iterator[LayeredStore]:
    """Where new weights are written: the workspace, or a folder that is removed."""
    if not dry_run:
        yield store
        return
    scratch = Scratch(workspace.state_folder / _SCRATCH)
    try:
        yield LayeredStore(DiskStore(scratch.path), store)
    finally:
        scratch.close()


def _merged(
    ctx: Context, store: Store, spec: MergeSpec, form: Side, room: Store
) -> Manifest:
    inputs = inputs_of(spec, form, _reader(store))
    return merge_models(store, spec, inputs, room, progress=ctx.progress)


def _reader(store: Store) -> Callable[[CommitId], Manifest]:
    return lambda commit_id: manifest_of(store, commit_id)


def _sign(  # noqa: PLR0917 - what a commit is made of
    ctx: Context,
    store: Store,
    place: BranchTarget,
    spec: MergeSpec,
    manifest: Manifest,
    message: str,
) -> CommitId:
    head = place.account.head_commit
    parents, record = record_of(spec, head)
    events = events_for_commit(
        ctx.chain, store, place.repo.address, read_commit(store, head)
    )
    with store.batch():
        unsigned = Commit(
            kind=CommitKind.MERGE,
            repo=place.repo.address,
            branch=place.account.name,
            parents=parents,
            author=ctx.wallet.address,
            message=message,
            time=ctx.now(),
            weights=put_manifest(store, manifest),
            strategy=record,
            events=store.put(CODEC_DAG_CBOR, encode_event_list(events)),
        )
        signed = sign_commit(unsigned, ctx.wallet.address, ctx.wallet.sign)
        block = encode_commit(signed)
        store.put(CODEC_DAG_CBOR, block)
    return id_of(block)


def _message(asked: MergeAsked, models: Sequence[_Named]) -> str:
    return f"merge {', '.join(one.text for one in models)} by {asked.method}"


def _told(spec: MergeSpec, models: Sequence[_Named]) -> tuple[MergedModel, ...]:
    named = {one.commit: one for one in models}
    return tuple(
        MergedModel(
            named[commit].text, commit, number_text(weight), named[commit].verified
        )
        for commit, weight in spec.models
    )
