"""Which blocks belong to a commit, and sending them; used by verbs, no verb itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from flair_client.context import Context
from flair_client.encoding import decode_delta, decode_manifest, decode_recipe
from flair_client.history.graph import read_commit
from flair_client.ids import Cid, CommitId
from flair_client.objects import Commit
from flair_client.porcelain.checkout import recipe_at
from flair_client.store.base import Store
from flair_client.store.bulk import BlockSource, put_all

_DELTA: Final = "delta"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A block that leaves the machine.

    Attributes:
        what: the field of the commit that names it.
        size: its bytes.
    """

    cid: Cid
    what: str
    size: int

    @property
    def holds_values(self) -> bool:
        """Whether the values of an update can be read from it."""
        return self.what == _DELTA or self.what.startswith(f"{_DELTA} ")


@dataclass(frozen=True, slots=True)
class Sent:
    """What a transfer moved.

    Attributes:
        n_bytes: of the blocks that the other side did not have.
    """

    n_blocks: int
    n_bytes: int


def blocks_of_commit(
    store: Store, commit_id: CommitId, *, whole: bool = False
) -> Iterator[Outgoing]:
    """Every block that a commit needs and that its parents do not bring, once.

    What others refer to comes before what refers to it, the commit itself last: a
    transfer that is cut off never leaves a commit without its blocks.

    Args:
        store: where the blocks lie.
        commit_id: the commit.
        whole: also what the parent brings, where the parent is not valid.

    Raises:
        BlockMissing, DigestMismatch: a block is not here or not itself.
    """
    commit = read_commit(store, commit_id)
    seen = set() if whole else _blocks_of_parent(store, commit)
    models = _of_models(store, commit) if commit.merges_models else ()
    for cid, what in (*models, *_in_order(store, commit_id, commit)):
        if cid not in seen:
            seen.add(cid)
            yield Outgoing(cid, what, len(store.get(cid)))


def _blocks_of_parent(store: Store, commit: Commit) -> set[Cid]:
    if not commit.parents:
        return set()
    parent = commit.parents[0]
    known: set[Cid] = set()
    if commit.weights is not None:
        weights = read_commit(store, parent).weights
        if weights is not None:
            known |= {cid for cid, _ in _of_weights(store, weights)}
    if commit.recipe is not None and commit.recipe == recipe_at(store, parent):
        known |= {cid for cid, _ in _of_recipe(store, commit.recipe)}
    return known


def _in_order(
    store: Store, commit_id: CommitId, commit: Commit
) -> Iterator[tuple[Cid, str]]:
    if commit.recipe is not None:
        yield from _of_recipe(store, commit.recipe)
    if commit.weights is not None:
        yield from _of_weights(store, commit.weights)
    if commit.delta is not None:
        for tensor in decode_delta(store.get(commit.delta)).tensors:
            for cid in tensor.blocks:
                yield cid, f"{_DELTA} {tensor.name}"
        yield commit.delta, _DELTA
    if commit.strategy_state is not None:
        for cid, what in _of_weights(store, commit.strategy_state):
            yield cid, what.replace("weights", "strategy state", 1)
    for what in ("report", "proof", "opening", "events"):
        cid = getattr(commit, what)
        if cid is not None:
            yield cid, what
    yield commit_id.cid, "commit"


def _of_models(store: Store, merge: Commit) -> Iterator[tuple[Cid, str]]:
    """What a merge is made again from: models of other repositories may be new here."""
    base = None if merge.strategy is None else merge.strategy.base
    for model in (*merge.parents[1:], *(() if base is None else (base,))):
        weights = read_commit(store, model).weights
        if weights is not None:
            for cid, what in _of_weights(store, weights):
                yield cid, f"model {model.short} {what}"
        yield model.cid, f"model {model.short}"


def _of_recipe(store: Store, recipe: Cid) -> Iterator[tuple[Cid, str]]:
    for file in decode_recipe(store.get(recipe)).files:
        yield file.cid, f"recipe {file.path}"
    yield recipe, "recipe"


def _of_weights(store: Store, weights: Cid) -> Iterator[tuple[Cid, str]]:
    manifest = decode_manifest(store.get(weights))
    if manifest.source is not None:
        for cid in manifest.source.blocks:
            yield cid, "weights header"
    for entry in manifest.tensors:
        for cid in entry.blocks:
            yield cid, f"weights {entry.name}"
        for cid in () if entry.light is None else entry.light.blocks:
            yield cid, f"light weights {entry.name}"
    yield weights, "weights"


def send_blocks(ctx: Context, store: Store, blocks: Sequence[Outgoing]) -> Sent:
    """Puts blocks into the shared store, in this order; those there are left out.

    Raises:
        BlockMissing, DigestMismatch: a block is not here or not itself.
        StoreFull, StoreUnavailable: from the shared store.
    """
    sources = (
        BlockSource(one.cid, one.size, partial(store.get, one.cid)) for one in blocks
    )
    with ctx.progress.task("send", sum(one.size for one in blocks), "bytes") as task:
        n_blocks, n_bytes = put_all(
            ctx.remote, sources, done=lambda one: task.advance(one.size)
        )
    return Sent(n_blocks, n_bytes)
