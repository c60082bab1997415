"""Blocks in a Kubo node, the IPFS server most people run, by its RPC.

Kubo keeps blocks by digest whatever their codec, and forgets what is not pinned when
it clears up. So everything put here is pinned: objects with the raw blocks that they
list (`recursive`), everything else by itself (`direct`), all under the name `flair`.
A commit is pinned by itself: its parents have pins of their own.
"""

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, Final

from flair_client.encoding.car import encode_block_head, encode_header, links_in
from flair_client.errors import BlockMissing, IdentifierInvalid, StoreUnavailable
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid, block_cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import check_block, check_block_size
from flair_client.store.bulk import N_PARALLEL, BlockSource, in_parts
from flair_client.store.car import CarReader, Pieces
from flair_client.store.ipfs_rpc import (
    KuboPatience,
    KuboRefused,
    KuboRpc,
    Params,
    check_message,
)
from flair_client.store.waiting import Waiting

if TYPE_CHECKING:
    import httpx

_PIN_NAME: Final = "flair"
_CODEC_NAMES: Final = {CODEC_RAW: "raw", CODEC_DAG_CBOR: "dag-cbor"}
_LOCAL: Final = ("offline", "true")
# One request's blocks: what is lost, and sent again, when Kubo is killed.
PART_BYTES: Final = 64 << 20
_PART_BLOCKS: Final = 512
# While Kubo forces one part to its disk it takes the next.
_N_IMPORTS: Final = 2
# CIDs in one request for pins; a URL may have some 64 KiB.
_PINS_AT_ONCE: Final = 100
# Blocks of a part that are looked for before it is sent as a whole.
_PROBES: Final = 4
_DEFAULT_PATIENCE: Final = KuboPatience()


class KuboStore:
    """A store in a Kubo node.

    Attributes:
        n_parallel: readers that it answers at the same time.
    """

    n_parallel = N_PARALLEL

    def __init__(
        self,
        url: str,
        *,
        fetch_s: int = 20,
        patience: KuboPatience = _DEFAULT_PATIENCE,
        http: "httpx.BaseTransport | None" = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            url: of the RPC: `http://HOST:PORT`.
            fetch_s: how long Kubo looks at its peers for a block that it has not.
            patience: how long and how often it is asked.
            http: instead of the network.
        """
        self._rpc = KuboRpc(url, patience=patience, http=http)
        # Connections are not left to the collector, which complains of them.
        self._finalizer = weakref.finalize(self, self._rpc.close)
        self._fetch_s = fetch_s
        self._waiting = Waiting()

    def close(self) -> None:
        """Closes the connections."""
        self._finalizer()

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`; what the node has not, it asks its peers for."""
        waiting = self._waiting.having(cid)
        if waiting is not None:
            return waiting.get(cid, max_size=max_size)
        here: Params = (("arg", str(cid)), _LOCAL)
        anywhere: Params = (("arg", str(cid)), ("timeout", f"{self._fetch_s}s"))
        for params in (here, anywhere):
            try:
                block = self._rpc.fetch("block/get", params, f"block {cid}", max_size)
            except KuboRefused as exc:
                if params is here and not exc.is_missing:
                    raise StoreUnavailable(f"Kubo: {exc}") from exc
                continue
            return check_block(cid, block)
        raise BlockMissing(cid)

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`."""
        check_block_size("block", len(block))
        waits = self._waiting.put(codec, block)
        if waits is not None:
            return waits
        cid = block_cid(codec, block)
        self._put(cid, bytes(block))
        self._pin([cid], recursive=False)
        return cid

    def has(self, cid: Cid) -> bool:
        """As `Store.has`; the node's peers are not asked."""
        return self._waiting.having(cid) is not None or self._is_there(cid)

    def delete(self, cid: Cid) -> None:
        """As `Store.delete`; what held the block holds its other blocks singly."""
        while (holder := self._holder(cid)) is not None:
            rest = [] if holder == cid else self._held_by(holder, but=cid)
            self._ask("pin/rm", (("arg", str(holder)), ("recursive", "true")))
            self._pin(rest, recursive=False)
        for answer in self._ask("block/rm", (("arg", str(cid)), ("force", "true"))):
            if answer.get("Error"):
                raise StoreUnavailable(f"Kubo: {answer['Error']}")

    def batch(self) -> AbstractContextManager[None]:
        """As `Store.batch`: blocks wait in a folder of this machine until the end."""
        return self._waiting.batch(self.put_all)

    def __iter__(self) -> Iterator[Cid]:
        """Gives what is pinned, by Flair or others."""
        params = (("type", "all"), ("stream", "true"))
        for found in self._rpc.ask_lines("pin/ls", params):
            # Other people's pins may be of any kind.
            with suppress(IdentifierInvalid):
                yield Cid.parse(str(found.get("Cid")))

    def put_all(
        self,
        blocks: Iterable[BlockSource],
        *,
        done: Callable[[BlockSource], None] = lambda _: None,
    ) -> tuple[int, int]:
        """As `BulkStore.put_all`: CARs of bounded size, two on their way at a time."""
        pins = _Pins()
        n_blocks = n_bytes = 0
        with ThreadPoolExecutor(_N_IMPORTS) as pool:
            for part, future in _submitted(
                pool, self._send, in_parts(blocks, PART_BYTES, _PART_BLOCKS)
            ):
                new = future.result()
                n_blocks += len(new)
                n_bytes += sum(one.size for one in new)
                for one in part:
                    pins.add(one)
                    done(one)
        self._pin_all(pins)
        return n_blocks, n_bytes

    def _send(self, part: Sequence[BlockSource]) -> Sequence[BlockSource]:
        new = self._missing(part)
        if new:
            self._import(new)
        return new

    def export_dag(self, root: Cid) -> Iterator[tuple[Cid, bytes]]:
        """Gives an object and all that it refers to, each block checked, in one stream.

        Raises:
            CarInvalid: the node sent something else, or ended early.
            StoreUnavailable: it does not answer.
        """
        with self._rpc.stream("dag/export", (("arg", str(root)), _LOCAL)) as pieces:
            yield from CarReader(Pieces(pieces))

    def version(self) -> str:
        """Gives the node's version.

        Raises:
            StoreUnavailable: it does not answer.
        """
        return str(self._ask("version", ())[0].get("Version", ""))[:40]

    def addresses(self) -> tuple[str, ...]:
        """Gives the addresses at which other nodes reach this one.

        Raises:
            StoreUnavailable: it does not answer.
        """
        found = self._ask("id", ())[0].get("Addresses")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def connect(self, address: str) -> None:
        """Has the node meet another one.

        Raises:
            StoreUnavailable: it could not.
        """
        self._ask("swarm/connect", (("arg", address),))

    def _ask(
        self,
        call: str,
        params: Params,
        upload: Callable[[], Iterable[bytes]] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        try:
            answers = self._rpc.ask(call, params, upload)
        except KuboRefused as exc:
            raise StoreUnavailable(f"Kubo refuses {call}: {exc}") from exc
        if not answers:
            raise StoreUnavailable(f"Kubo did not say what became of {call}")
        return answers

    def _is_there(self, cid: Cid) -> bool:
        try:
            self._rpc.ask("block/stat", (("arg", str(cid)), _LOCAL))
        except KuboRefused as exc:
            if exc.is_missing:
                return False
            raise StoreUnavailable(f"Kubo: {exc}") from exc
        return True

    def _put(self, cid: Cid, block: bytes) -> None:
        params = (("cid-codec", _CODEC_NAMES[cid.codec]), ("mhtype", "sha2-256"))
        answer = self._ask("block/put", params, lambda: (block,))[0]
        if answer.get("Key") != str(cid):
            raise StoreUnavailable(f"Kubo keeps {cid} as {str(answer.get('Key'))[:80]}")

    def _missing(self, part: Sequence[BlockSource]) -> Sequence[BlockSource]:
        """The blocks of a part to send; where some seem to be there, each is asked for.

        A part of which nothing is found by a few probes is sent as a whole: what is
        there all the same changes nothing.
        """
        step = max(1, len(part) // _PROBES)
        with ThreadPoolExecutor(N_PARALLEL) as pool:
            probes = [one.cid for one in part[step - 1 :: step]]
            if not any(pool.map(self._is_there, probes)):
                return part
            there = pool.map(self._is_there, [one.cid for one in part])
            return [
                one for one, is_there in zip(part, there, strict=True) if not is_there
            ]

    def _import(self, blocks: Sequence[BlockSource]) -> None:
        def car() -> Iterator[bytes]:
            yield encode_header((blocks[-1].cid,))
            for one in blocks:
                block = one.read()
                yield encode_block_head(one.cid, len(block))
                yield block

        params = (("pin-roots", "false"), ("local-only", "true"), ("stats", "true"))
        answers = self._ask("dag/import", params, car)
        for answer in answers:
            if answer.get("Type") == "error":
                message = str(answer.get("Message"))
                check_message(message)
                raise StoreUnavailable(f"Kubo: {message}")
        stats = answers[-1].get("Stats")
        if not isinstance(stats, dict) or stats.get("BlockCount") != len(blocks):
            raise StoreUnavailable(f"Kubo took other than {len(blocks)} blocks")

    def _pin_all(self, pins: "_Pins") -> None:
        single = set(pins.single)
        for root, listed in pins.objects.items():
            try:
                self._rpc.ask(
                    "pin/add",
                    (
                        ("arg", str(root)),
                        ("recursive", "true"),
                        ("name", _PIN_NAME),
                        _LOCAL,
                    ),
                )
            except KuboRefused:
                # Something that it lists is not in this node, and was not to be sent.
                single |= {root, *(listed & pins.raws)}
            else:
                pins.raws -= listed
        self._pin(sorted(single | pins.raws), recursive=False)

    def _pin(self, cids: Sequence[Cid], *, recursive: bool) -> None:
        for start in range(0, len(cids), _PINS_AT_ONCE):
            params = [("arg", str(cid)) for cid in cids[start : start + _PINS_AT_ONCE]]
            params += [("recursive", str(recursive).lower()), ("name", _PIN_NAME)]
            self._ask("pin/add", (*params, _LOCAL))

    def _holder(self, cid: Cid) -> Cid | None:
        """What is pinned so that a block stays: itself, or an object that lists it."""
        try:
            answers = self._rpc.ask("pin/ls", (("arg", str(cid)), ("type", "all")))
        except KuboRefused:
            return None
        keys = answers[0].get("Keys") if answers else None
        for how in keys.values() if isinstance(keys, dict) else ():
            kind = str(how.get("Type"))
            through = kind.removeprefix("indirect through ")
            return cid if through == kind else Cid.parse(through)
        return None

    def _held_by(self, holder: Cid, *, but: Cid) -> list[Cid]:
        listed = links_in(self.get(holder))
        return [holder, *(one for one in listed if one != but and self._is_there(one))]


class _Pins:
    """What is to be pinned, gathered while blocks go by."""

    def __init__(self) -> None:
        self.objects: dict[Cid, frozenset[Cid]] = {}
        self.single: set[Cid] = set()
        self.raws: set[Cid] = set()

    def add(self, one: BlockSource) -> None:
        if one.cid.codec == CODEC_RAW:
            self.raws.add(one.cid)
            return
        try:
            listed = links_in(one.read())
        except ValueError:
            listed = frozenset()
        if listed and all(cid.codec == CODEC_RAW for cid in listed):
            self.objects[one.cid] = listed
        else:
            self.single.add(one.cid)


def _submitted(
    pool: ThreadPoolExecutor,
    send: Callable[[list[BlockSource]], Sequence[BlockSource]],
    parts: Iterable[list[BlockSource]],
) -> Iterator[tuple[list[BlockSource], Future[Sequence[BlockSource]]]]:
    """Parts on their way, in their order; objects only behind all that came before."""
    waiting: deque[tuple[list[BlockSource], Future[Sequence[BlockSource]]]] = deque()
    for part in parts:
        has_objects = any(one.cid.codec != CODEC_RAW for one in part)
        while len(waiting) > (0 if has_objects else _N_IMPORTS - 1):
            yield waiting.popleft()
        waiting.append((part, pool.submit(send, part)))
    yield from waiting
