"""Which heads can be had where: here, in the network's store, from each gateway."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from flair_client.context import Context
from flair_client.errors import FlairError, StoreError
from flair_client.ids import Cid, CommitId
from flair_client.porcelain.car_walk import car_links
from flair_client.porcelain.checkout import blocks_of
from flair_client.porcelain.kept_cars import kept_commit
from flair_client.porcelain.reachable import Kind, Need, commit_need, reachable
from flair_client.porcelain.refs import known_heads
from flair_client.store.base import Store
from flair_client.store.bulk import N_PARALLEL, FarStore
from flair_client.store.gateways import FallbackStore
from flair_client.workspace import Workspace


@dataclass(frozen=True, slots=True)
class HeadPlace:
    """How much of a head one place has.

    Attributes:
        place: `workspace`, `car`, or a URL.
        n_missing: blocks that it has not.
        first_missing: the first of them, with what it is.
        error: why the place could not be asked; then nothing is known of the blocks.
    """

    place: str
    n_missing: int
    first_missing: str | None = None
    error: str | None = None

    @property
    def has_all(self) -> bool:
        """Whether the head can be had there, with everything behind it."""
        return self.error is None and not self.n_missing


@dataclass(frozen=True, slots=True)
class HeadPlaces:
    """Where a branch's head can be had.

    Attributes:
        n_blocks: of the commit and its whole history.
        error: why they could not be listed; then no place was asked.
    """

    branch: str
    commit: CommitId
    n_blocks: int
    places: tuple[HeadPlace, ...]
    error: str | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether all of it can be had from somebody else than this machine."""
        return any(
            place.has_all and place.place not in ("workspace", "car")
            for place in self.places
        )


@dataclass(frozen=True, slots=True)
class RemoteChecked:
    """What was found, by branch."""

    heads: tuple[HeadPlaces, ...]

    @property
    def nowhere(self) -> tuple[HeadPlaces, ...]:
        """Heads that nobody else has whole."""
        return tuple(head for head in self.heads if not head.is_elsewhere)


def fsck_remote(ctx: Context, workspace: Workspace) -> RemoteChecked:
    """Asks every place for every block of every head, as of the last pull.

    A place is asked whether it has a block; the bytes are not fetched. Objects are
    read, to know what is behind them.

    Args:
        ctx: its shared store, and the gateways behind it, are asked.
        workspace: a clone; tells the heads.

    Raises:
        WorkspaceError: the file of heads was damaged.
    """
    places = _places(ctx, workspace)
    return RemoteChecked(
        tuple(
            _look(ctx, workspace, branch, head, places)
            for branch, head in sorted(known_heads(workspace).items())
        )
    )


def _places(
    ctx: Context, workspace: Workspace
) -> dict[str, tuple[int, Callable[[Cid], bool]]]:
    """How each place is asked, and how many questions at a time."""
    main: Store = getattr(ctx.remote, "main", ctx.remote)
    n_parallel = main.n_parallel if isinstance(main, FarStore) else 1
    places: dict[str, tuple[int, Callable[[Cid], bool]]] = {
        "workspace": (1, workspace.cache().has),
        ctx.network.store_url: (n_parallel, main.has),
    }
    if isinstance(ctx.remote, FallbackStore):
        for gateway in ctx.remote.gateways.gateways:
            places[gateway.url] = (N_PARALLEL, gateway.has)
    return places


def _look(
    ctx: Context,
    workspace: Workspace,
    branch: str,
    head: CommitId,
    places: dict[str, tuple[int, Callable[[Cid], bool]]],
) -> HeadPlaces:
    try:
        needs = {need.cid: need.what for need in _behind(ctx, workspace, head)}
    except FlairError as exc:
        return HeadPlaces(branch, head, 0, (), str(exc))
    found = [
        _ask(name, needs, n_parallel, has) for name, (n_parallel, has) in places.items()
    ]
    if kept_commit(workspace, branch) == head:
        found.append(HeadPlace("car", 0))
    return HeadPlaces(branch, head, len(needs), tuple(found))


def _behind(ctx: Context, workspace: Workspace, head: CommitId) -> Iterator[Need]:
    store = blocks_of(ctx, workspace)

    def links(need: Need) -> list[Need]:
        return [] if need.kind is Kind.RAW else car_links(need, store.get(need.cid))

    return reachable([commit_need(head, f"commit {head.short}")], links)


def _ask(
    name: str, needs: dict[Cid, str], n_parallel: int, has: Callable[[Cid], bool]
) -> HeadPlace:
    missing = []
    try:
        with ThreadPoolExecutor(n_parallel) as pool:
            answers = pool.map(has, needs)
            missing = [
                cid for cid, there in zip(needs, answers, strict=True) if not there
            ]
    except StoreError as exc:
        return HeadPlace(name, 0, error=str(exc))
    first = f"{needs[missing[0]]} ({missing[0]})" if missing else None
    return HeadPlace(name, len(missing), first)
