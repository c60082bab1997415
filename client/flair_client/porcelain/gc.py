"""Removes blocks that nothing names: of a workspace, or of the folder that is shared.

A block stays that a branch, a tag, a marker, an event or an account names, with
everything behind it, and one that somebody wrote or relied on lately.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.context import Context
from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    ObjectError,
    UsageError,
    WorkspaceDamaged,
)
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Address, Cid, block_cid
from flair_client.porcelain.fsck_files import check_files, kept_commits
from flair_client.porcelain.gc_graph import (
    Contents,
    Keeper,
    look_again,
    look_through,
    removal_order,
)
from flair_client.porcelain.gc_names import (
    address_of,
    named_by_chain,
    named_by_files,
)
from flair_client.store.base import Store
from flair_client.store.disk import DiskStore
from flair_client.store.sweep import Swept, remove_old, sweeping
from flair_client.workspace import Workspace

DEFAULT_DAYS: Final = 14
# Of the shared folder: longer than any transfer, and than clocks differ.
MIN_SHARED_DAYS: Final = 1
_DAY_S: Final = 86_400
# So long others who ask for a block wait.
_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Removed:
    """A block that went, or with `dry_run` would go.

    Attributes:
        what: a commit with its message, `object`, or `block`.
        size: its bytes.
    """

    cid: Cid
    what: str
    size: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a run removed, and what it left.

    Attributes:
        folder: of the blocks.
        removed: in this order.
        n_bytes: of these.
        n_kept, n_kept_bytes: what is named, or too young.
        n_young, n_young_bytes: of what was kept: nothing names it.
        n_foreign: commits of repositories that this network does not have; they stay.
    """

    folder: Path
    dry_run: bool
    removed: tuple[Removed, ...]
    n_bytes: int
    n_kept: int
    n_kept_bytes: int
    n_young: int
    n_young_bytes: int
    n_foreign: int


@dataclass(slots=True)
class _Plan:
    """What is known before anything is removed."""

    contents: Contents
    keeper: Keeper
    before: float
    young: AbstractSet[Cid]
    n_foreign: int


def gc(
    ctx: Context,
    workspace: Workspace | None,
    *,
    shared: bool = False,
    days: float = DEFAULT_DAYS,
    dry_run: bool = False,
    force: bool = False,
) -> Cleared:
    """Clears up; killed at any point it has lost nothing that anything names.

    Args:
        ctx: its chain is asked what it names.
        workspace: whose blocks are meant, or whose files name some; None without one.
        shared: clear the network's folder up instead of the workspace's own blocks.
        days: blocks that were used since stay.
        dry_run: only tell.
        force: go on where an object is missing, so that what it needs is not known.

    Raises:
        UsageError: no folder is meant, too few days, or a clone is not finished.
        WorkspaceDamaged: a file or object is missing or damaged; nothing was removed.
        WorkspaceLocked: another process works here, or clears the same folder up.
        VerificationError: events of a repository cannot be found.
        RpcUnavailable: the chain does not answer.
    """
    with ExitStack() as held:
        if shared:
            store = _shared_folder(ctx, days)
            elsewhere: Store | None = None if workspace is None else workspace.cache()
        else:
            if workspace is None:
                raise UsageError("there is no workspace here; --store is the folder")
            held.enter_context(workspace.lock())
            store, elsewhere = workspace.cache(), ctx.remote
        held.enter_context(sweeping(store))
        _check_workspace(ctx, workspace)
        plan = _plan(ctx, workspace, store, elsewhere, shared=shared, days=days)
        if not force:
            plan.keeper.check()
        return _clear(ctx, store, plan, dry_run=dry_run)


def _shared_folder(ctx: Context, days: float) -> DiskStore:
    # Gateways behind it are not cleared up.
    store = getattr(ctx.remote, "main", ctx.remote)
    if not isinstance(store, DiskStore):
        raise UsageError("the network's store is no folder that could be cleared up")
    if days < MIN_SHARED_DAYS:
        raise UsageError(
            f"others send to the network's store: give at least {MIN_SHARED_DAYS} day"
        )
    return store


def _check_workspace(ctx: Context, workspace: Workspace | None) -> None:
    if workspace is None:
        return
    if workspace.marker("clone") is not None:
        raise UsageError("the clone is not finished: run flair clone again first")
    for fault in check_files(ctx, workspace, repair=False):
        raise WorkspaceDamaged(f"nothing was removed: {fault.what}: {fault.reason}")


def _plan(
    ctx: Context,
    workspace: Workspace | None,
    store: DiskStore,
    elsewhere: Store | None,
    *,
    shared: bool,
    days: float,
) -> _Plan:
    contents = look_through(store, ctx.progress)
    keeper = Keeper(contents, _reader(elsewhere))
    repos = {repo for repo, _ in contents.commits.values()} if shared else set()
    if workspace is not None:
        for need in kept_commits(ctx, workspace):
            keeper.keep([need.cid], need.what)
        keeper.keep(contents.with_digests(named_by_files(workspace)), "a marker")
        if workspace.is_bound:
            repos.add(address_of(ctx, workspace.repo()))
    n_foreign = _keep_what_the_chain_names(ctx, keeper, repos, whole=shared)
    # The clock tells whole seconds: what was written in this one is not too young.
    before = ctx.now() + 1 - days * _DAY_S
    named = frozenset(keeper.kept)
    new = [one.cid for one in contents.blocks.values() if one.used_at >= before]
    # What is new may refer to what is old: a push may be under way.
    keeper.keep(new, "a new block")
    young = (keeper.kept - named) & contents.blocks.keys()
    return _Plan(contents, keeper, before, young, n_foreign)


def _keep_what_the_chain_names(
    ctx: Context, keeper: Keeper, repos: AbstractSet[Address], *, whole: bool
) -> int:
    """Gives how many commits there are of repositories that this chain lacks.

    What is not here of the events, a workspace never saw; of the folder that is shared
    they may be missing.
    """
    contents = keeper.contents
    named, strangers = named_by_chain(ctx, repos, with_events=whole)
    for head, what in named.heads.items():
        keeper.keep([head.cid], what)
    keeper.keep(contents.with_digests(named.digests), "the chain")
    for event in (*contents.events, *named.events):
        keeper.keep(contents.named_in(event), "an event")
    foreign = [cid for cid, (repo, _) in contents.commits.items() if repo in strangers]
    keeper.keep(foreign, "a repository of another network")
    events = {block_cid(CODEC_RAW, event) for event in contents.events}
    keeper.keep(events, "history")
    return len(foreign)


def _reader(store: Store | None) -> Callable[[Cid], bytes | None]:
    """Reads objects that the folder lacks, each once."""
    found: dict[Cid, bytes | None] = {}

    def read(cid: Cid) -> bytes | None:
        if store is None:
            return None
        if cid not in found:
            try:
                found[cid] = store.get(cid)
            except (BlockMissing, DigestMismatch, ObjectError):
                found[cid] = None
        return found[cid]

    return read


def _clear(ctx: Context, store: DiskStore, plan: _Plan, *, dry_run: bool) -> Cleared:
    contents, keeper = plan.contents, plan.keeper
    keeper.keep(look_again(store, contents) - plan.keeper.kept, "a new block")
    order = removal_order(contents.blocks.keys() - keeper.kept, contents.links)
    removed = []
    total = sum(contents.blocks[cid].size for cid in order)
    with ctx.progress.task("remove", total, "bytes") as task:
        for at in range(0, len(order), _AT_ONCE):
            chunk = [cid for cid in order[at : at + _AT_ONCE] if cid not in keeper.kept]
            gone = chunk if dry_run else _remove(store, plan, chunk)
            removed += [_removed(contents, cid) for cid in gone]
            task.advance(sum(contents.blocks[cid].size for cid in chunk))
    gone_cids = {one.cid for one in removed}
    left = [one for cid, one in contents.blocks.items() if cid not in gone_cids]
    return Cleared(
        folder=store.path,
        dry_run=dry_run,
        removed=tuple(removed),
        n_bytes=sum(one.size for one in removed),
        n_kept=len(left),
        n_kept_bytes=sum(one.size for one in left),
        n_young=len(plan.young),
        n_young_bytes=sum(contents.blocks[cid].size for cid in plan.young),
        n_foreign=plan.n_foreign,
    )


def _remove(store: DiskStore, plan: _Plan, chunk: list[Cid]) -> list[Cid]:
    """Gives what is gone; what somebody relied on meanwhile stays with its parts.

    Those come later in the order: nothing of them was removed.
    """
    gone = []
    kept = plan.keeper.kept
    # Looked at one by one: what a block in use needs is among the next.
    wanted = (cid for cid in chunk if cid not in kept)
    for cid, became in remove_old(store, wanted, plan.before):
        if became is Swept.YOUNG:
            plan.keeper.keep([cid], "a block in use")
        elif became is Swept.REMOVED:
            gone.append(cid)
    return gone


def _removed(contents: Contents, cid: Cid) -> Removed:
    word = "object" if cid.codec == CODEC_DAG_CBOR else "block"
    what = contents.commits.get(cid, (None, word))[1]
    return Removed(cid, what, contents.blocks[cid].size)
