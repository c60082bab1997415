"""Which blocks belong to a commit, and sending them; used by verbs, no verb itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from flair_client.context import Context
from flair_client.encoding import decode_delta, decode_manifest, decode_recipe
from flair_client.history.graph import read_commit
from flair_client.ids import Cid, CommitId
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A block that leaves the machine.

    Attributes:
        what: the field of the commit that names it.
    """

    cid: Cid
    what: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What a transfer moved.

    Attributes:
        n_bytes: of the blocks that the other side did not have.
    """

    n_blocks: int
    n_bytes: int


def blocks_of_commit(store: Store, commit_id: CommitId) -> Iterator[Outgoing]:
    """Every block that a commit needs and that its parents do not bring, once.

    What others refer to comes before what refers to it, the commit itself last: a
    transfer that is cut off never leaves a commit without its blocks.
    """
    seen: set[Cid] = set()
    for one in _in_order(store, commit_id):
        if one.cid not in seen:
            seen.add(one.cid)
            yield one


def _in_order(store: Store, commit_id: CommitId) -> Iterator[Outgoing]:
    commit = read_commit(store, commit_id)
    if commit.recipe is not None:
        for file in decode_recipe(store.get(commit.recipe)).files:
            yield Outgoing(file.cid, f"recipe {file.path}")
        yield Outgoing(commit.recipe, "recipe")
    if commit.weights is not None:
        yield from _of_weights(store, commit.weights)
    if commit.delta is not None:
        for tensor in decode_delta(store.get(commit.delta)).tensors:
            for cid in tensor.blocks:
                yield Outgoing(cid, f"delta {tensor.name}")
        yield Outgoing(commit.delta, "delta")
    for what in ("strategy_state", "report", "proof", "opening", "events"):
        cid = getattr(commit, what)
        if cid is not None:
            yield Outgoing(cid, what)
    yield Outgoing(commit_id.cid, "commit")


def _of_weights(store: Store, weights: Cid) -> Iterator[Outgoing]:
    manifest = decode_manifest(store.get(weights))
    if manifest.source is not None:
        for cid in manifest.source.blocks:
            yield Outgoing(cid, "weights header")
    for entry in manifest.tensors:
        for cid in entry.blocks:
            yield Outgoing(cid, f"weights {entry.name}")
    yield Outgoing(weights, "weights")


def send_commit(ctx: Context, store: Store, commit_id: CommitId) -> Sent:
    """Puts a commit's blocks into the shared store; those that are there are left out.

    Raises:
        BlockMissing, DigestMismatch: a block is not here or not itself.
        StoreFull, StoreUnavailable: from the shared store.
    """
    outgoing = list(blocks_of_commit(store, commit_id))
    n_blocks = n_bytes = 0
    with ctx.progress.task("send", len(outgoing), "blocks") as task:
        for one in outgoing:
            if not ctx.remote.has(one.cid):
                block = store.get(one.cid)
                ctx.remote.put(one.cid.codec, block)
                n_blocks += 1
                n_bytes += len(block)
            task.advance(1)
    return Sent(n_blocks, n_bytes)
