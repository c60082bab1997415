"""Many blocks at once, where one by one would take long: to and from far stores."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from flair_client.ids import Cid
from flair_client.store.base import Store

if TYPE_CHECKING:
    from concurrent.futures import Future

# Requests on their way at the same time.
N_PARALLEL: Final = 8


@dataclass(frozen=True, slots=True)
class BlockSource:
    """A block that can be read when its turn comes, and again after a failure.

    Attributes:
        size: its bytes.
        read: gives them, checked.
    """

    cid: Cid
    size: int
    read: Callable[[], bytes]


@runtime_checkable
class BulkStore(Protocol):
    """A store that takes many blocks faster than one after the other."""

    def put_all(
        self, blocks: Iterable[BlockSource], *, done: Callable[[BlockSource], None]
    ) -> tuple[int, int]:
        """Keeps blocks, in their order; those that are there already may be left out.

        What was sent before a failure stays, and is not sent again.

        Args:
            blocks: what a block refers to comes before it.
            done: hears of each block that is there now.

        Returns:
            How many blocks were sent, and their bytes.

        Raises:
            StoreFull, StoreUnavailable: not all are there.
            BlockMissing, DigestMismatch: a block could not be read.
        """


@runtime_checkable
class FarStore(Protocol):
    """A store that answers several readers at once sooner than one after the other."""

    @property
    def n_parallel(self) -> int:
        """How many readers it should have."""


@runtime_checkable
class NearStore(Protocol):
    """A store in front of a far one."""

    def bring_near(self, cids: Iterable[Cid]) -> None:
        """Fetches what is not near yet, several at a time, and keeps it.

        What cannot be had is left for the reader, who knows what it is needed for.

        Raises:
            StoreUnavailable, StoreFull: as `Store.get` would.
        """


def bring_near(store: Store, cids: Iterable[Cid]) -> None:
    """Tells a store what will be read next; most have nothing to do."""
    if isinstance(store, NearStore):
        store.bring_near(cids)


def put_all(
    store: Store,
    blocks: Iterable[BlockSource],
    *,
    done: Callable[[BlockSource], None] = lambda _: None,
) -> tuple[int, int]:
    """As `BulkStore.put_all`, into any store."""
    if isinstance(store, BulkStore):
        return store.put_all(blocks, done=done)
    n_blocks = n_bytes = 0
    for one in blocks:
        if not store.has(one.cid):
            store.put(one.cid.codec, one.read())
            n_blocks += 1
            n_bytes += one.size
        done(one)
    return n_blocks, n_bytes


def in_parts(
    blocks: Iterable[BlockSource], max_bytes: int, max_blocks: int
) -> Iterator[list[BlockSource]]:
    """Cuts blocks, in their order, into parts; one block may be larger than a part."""
    part: list[BlockSource] = []
    size = 0
    for one in blocks:
        if part and (size + one.size > max_bytes or len(part) == max_blocks):
            yield part
            part, size = [], 0
        part.append(one)
        size += one.size
    if part:
        yield part


def read_ahead(store: Store, cids: Iterable[Cid]) -> Iterator[tuple[Cid, bytes]]:
    """Gives blocks in the order asked for; a far store is asked for several at once.

    At most `2 * n_parallel` blocks are in memory.

    Raises:
        As `Store.get`, for the first block that cannot be read.
    """
    n_parallel = store.n_parallel if isinstance(store, FarStore) else 1
    if n_parallel == 1:
        for cid in cids:
            yield cid, store.get(cid)
        return
    # Whoever reads what is near does without what it imports.
    from concurrent.futures import ThreadPoolExecutor

    waiting: deque[tuple[Cid, Future[bytes]]] = deque()
    with ThreadPoolExecutor(n_parallel) as pool:
        try:
            for cid in cids:
                waiting.append((cid, pool.submit(store.get, cid)))
                if len(waiting) == 2 * n_parallel:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
