"""Blocks from several trustless gateways, whoever is first.

They are asked in turn, each next one as soon as the last is slow or has failed; the
first right answer counts. One that gave anything but what a CID says is named and not
asked again.
"""

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from flair_client.errors import (
    BlockMissing,
    CarCut,
    CarInvalid,
    DigestMismatch,
    FlairError,
    ObjectTooLarge,
    StoreUnavailable,
)
from flair_client.ids import Cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import Store
from flair_client.store.bulk import N_PARALLEL, BlockSource, put_all
from flair_client.store.gateway import Gateway, check_gateway_url, gateway_client

if TYPE_CHECKING:
    import httpx


@dataclass(slots=True)
class _Race:
    """What became of one block's race so far."""

    answers: "SimpleQueue[tuple[Gateway, bytes | FlairError]]" = field(
        default_factory=SimpleQueue
    )
    n_running: int = 0
    failures: list[FlairError] = field(default_factory=list)


class GatewayStore:
    """Reads from several gateways; nothing can be put there."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        patience_s: float = 30.0,
        next_after_s: float = 0.5,
        transports: "Sequence[httpx.BaseTransport | None] | None" = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            urls: `https://HOST[:PORT]`, at least one.
            patience_s: between two pieces of an answer.
            next_after_s: how long one is waited for until the next is asked as well.
            transports: instead of the network, one for each.

        Raises:
            UsageError: a URL is none.
        """
        given = transports or [None] * len(urls)
        self._next_after_s = next_after_s
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self.gateways = tuple(
            Gateway(check_gateway_url(url), gateway_client(url, patience_s, transport))
            for url, transport in zip(urls, given, strict=True)
        )
        self._clients = [one.http for one in self.gateways]
        # Connections are not left to the collector, which complains of them.
        self._finalizer = weakref.finalize(self, _close_all, self._clients)

    def add(self, urls: Sequence[str]) -> None:
        """Asks more gateways from now on.

        Raises:
            UsageError: a URL is none.
        """
        known = {one.url for one in self.gateways}
        for url in map(check_gateway_url, urls):
            if url not in known:
                client = gateway_client(url, self._patience_s, None)
                self._clients.append(client)
                self.gateways += (Gateway(url, client),)

    def close(self) -> None:
        """Closes the connections."""
        self._finalizer()

    def complaints(self) -> tuple[str, ...]:
        """Names the gateways that lied, a sentence each."""
        return tuple(
            f"gateway {one.url} is not asked any more: {one.lie}"
            for one in self.gateways
            if one.lie
        )

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`, from whoever is first."""
        race = _Race()
        waiting = self._in_order()
        while waiting or race.n_running:
            if waiting:
                self._start(race, waiting.pop(0), cid, max_size)
            try:
                patience = self._next_after_s if waiting else None
                gateway, found = race.answers.get(timeout=patience)
            except Empty:
                continue
            race.n_running -= 1
            if isinstance(found, bytes):
                return found
            self._note(gateway, found)
            race.failures.append(found)
        raise self._nobody(cid, race.failures)

    def has(self, cid: Cid) -> bool:
        """Whether one of them says so."""
        for gateway in self._in_order():
            try:
                if gateway.has(cid):
                    return True
            except StoreUnavailable as exc:
                self._note(gateway, exc)
        return False

    def dag(self, root: Cid, take: Callable[[Cid, bytes], None]) -> None:
        """Hands on an object and all that it refers to, in one answer of one gateway.

        Where an answer is cut off or wrong the next gateway is asked: a block may be
        handed on twice.

        Raises:
            BlockMissing: nobody has it.
            StoreUnavailable: nobody gave all of it.
        """
        failures: list[FlairError] = []
        for gateway in self._in_order():
            try:
                for cid, block in gateway.dag(root):
                    take(cid, block)
            except (BlockMissing, CarInvalid, StoreUnavailable) as exc:
                self._note(gateway, exc)
                failures.append(exc)
            else:
                return
        raise self._nobody(root, failures)

    def _in_order(self) -> list[Gateway]:
        """Those that did not lie, the most reliable first."""
        with self._lock:
            good = [one for one in self.gateways if one.lie is None]
            return sorted(good, key=lambda one: one.n_failed)

    def _start(self, race: _Race, gateway: Gateway, cid: Cid, limit: int) -> None:
        def run() -> None:
            try:
                race.answers.put((gateway, gateway.block(cid, limit)))
            except FlairError as exc:
                race.answers.put((gateway, exc))

        race.n_running += 1
        # Nobody waits for the slower ones, not even at the end of the process.
        threading.Thread(target=run, daemon=True).start()

    def _note(self, gateway: Gateway, error: FlairError) -> None:
        with self._lock:
            if _is_lie(error):
                gateway.lie = str(error)
            elif not isinstance(error, BlockMissing):
                gateway.n_failed += 1

    def _nobody(self, cid: Cid, failures: Sequence[FlairError]) -> FlairError:
        """What is said where no gateway had an answer."""
        for error in failures:
            if isinstance(error, ObjectTooLarge):
                return error
        real = [error for error in failures if not isinstance(error, BlockMissing)]
        if real and len(real) == len(failures):
            return StoreUnavailable(f"no gateway gave block {cid}: {real[0]}")
        return BlockMissing(cid)


class FallbackStore:
    """A store, and gateways for what it has not or cannot give.

    Attributes:
        main: everything is put there.
    """

    n_parallel = N_PARALLEL

    def __init__(self, main: Store, gateways: GatewayStore) -> None:
        """Over both."""
        self.main = main
        self.gateways = gateways

    def close(self) -> None:
        """Closes the connections."""
        self.gateways.close()
        close = getattr(self.main, "close", None)
        if close is not None:
            close()

    def complaints(self) -> tuple[str, ...]:
        """As of the gateways."""
        return self.gateways.complaints()

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`; the store's own fault is told where nobody else can help."""
        try:
            return self.main.get(cid, max_size=max_size)
        except (BlockMissing, DigestMismatch, StoreUnavailable):
            try:
                return self.gateways.get(cid, max_size=max_size)
            except (BlockMissing, StoreUnavailable):
                pass
            raise

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`, into the store."""
        return self.main.put(codec, block)

    def put_all(
        self,
        blocks: Iterable[BlockSource],
        *,
        done: Callable[[BlockSource], None] = lambda _: None,
    ) -> tuple[int, int]:
        """As `BulkStore.put_all`, into the store."""
        return put_all(self.main, blocks, done=done)

    def has(self, cid: Cid) -> bool:
        """Whether the store has it; gateways hold nothing that one can rely on."""
        return self.main.has(cid)

    def delete(self, cid: Cid) -> None:
        """As `Store.delete`, in the store."""
        self.main.delete(cid)

    def batch(self) -> AbstractContextManager[None]:
        """As `Store.batch`, of the store."""
        return self.main.batch()

    def __iter__(self) -> Iterator[Cid]:
        return iter(self.main)


def _close_all(clients: "list[httpx.Client]") -> None:
    for client in clients:
        client.close()


def _is_lie(error: FlairError) -> bool:
    """Whether a gateway gave something else; an answer that was cut off is no lie."""
    if isinstance(error, ObjectTooLarge):
        # A reader may want less than a block may have.
        return error.limit == MAX_OBJECT_SIZE
    is_wrong = isinstance(error, DigestMismatch | CarInvalid)
    return is_wrong and not isinstance(error, CarCut)


def with_gateways(main: Store, urls: Sequence[str]) -> Store:
    """The store, with gateways behind it where there are any."""
    return FallbackStore(main, GatewayStore(urls)) if urls else main
