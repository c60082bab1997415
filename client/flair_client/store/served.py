"""Blocks at a store server (`flair store serve`): one HTTPS port, nothing else.

Reading is reading from a trustless gateway. What is sent goes as CARs, each signed for
by the wallet, each in pieces that go on where an earlier attempt was cut off.
"""

import hashlib
import os
import secrets
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Final, Protocol

import base58
import httpx

from flair_client.encoding.car import encode_block_head, encode_header
from flair_client.errors import StoreUnavailable, UploadRefused
from flair_client.ids import Address, Cid, Digest, block_cid
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import check_block_size
from flair_client.store.bulk import N_PARALLEL, BlockSource, in_parts
from flair_client.store.gateway import Gateway, check_gateway_url, gateway_client
from flair_client.store.served_rpc import ServedPatience, ServedRpc, UploadAt
from flair_client.store.upload_text import NONCE_SIZE, UploadText
from flair_client.store.waiting import Waiting

# What is signed for at once, and sent again when nothing of it was acknowledged.
PART_BYTES: Final = 32 << 20
_PART_BLOCKS: Final = 512
# One request's bytes: what is lost when a connection breaks.
_PIECE_BYTES: Final = 4 << 20
# Shorter than what a server takes, by what two clocks may differ.
_VALID_S: Final = 1800
# The wallet has no role there, or the server is not for it.
_NO_ROLE: Final = ("stranger", "signer", "repo")
_DEFAULT_PATIENCE: Final = ServedPatience()


class _Signer(Protocol):
    """As `flair_client.chain.signer.Signer`."""

    @property
    def address(self) -> Address:
        """Whose signature it makes."""

    def sign(self, message: bytes) -> bytes:
        """Gives the 64 bytes of an Ed25519 signature over the message."""


@dataclass(slots=True)
class Sender:
    """In whose name blocks are sent.

    Attributes:
        signer: the user's wallet, or a machine key.
        wallet: whose role counts; None is the signer's own.
        repos: accounts of the repositories that a command has found, the last one
            first: what is sent belongs to one of them.
    """

    signer: _Signer
    wallet: Address | None = None
    repos: tuple[Address, ...] = ()


class ServedStore:
    """A store at a store server.

    Attributes:
        n_parallel: readers that it answers at the same time.
        sender: who sends; None only reads.
    """

    n_parallel = N_PARALLEL

    def __init__(
        self,
        url: str,
        sender: Sender | None = None,
        *,
        patience: ServedPatience = _DEFAULT_PATIENCE,
        http: httpx.BaseTransport | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Opens nothing yet.

        Args:
            url: `https://HOST[:PORT]`.
            sender: who sends; without one it is only read.
            patience: how long and how often it is asked.
            http: instead of the network.
            now: seconds since 1970.
            sleep: pauses.

        Raises:
            UsageError: the URL is none.
        """
        self.url = check_gateway_url(url)
        self.sender = sender
        self._now = now
        client = gateway_client(self.url, patience.timeout_s, http)
        self._gateway = Gateway(self.url, client)
        self._rpc = ServedRpc(self.url, client, patience, sleep)
        # Connections are not left to the collector, which complains of them.
        self._finalizer = weakref.finalize(self, client.close)
        self._waiting = Waiting()

    def close(self) -> None:
        """Closes the connections."""
        self._finalizer()

    def for_repo(self, repo: Address) -> None:
        """Says by which repository's roles what is sent from now on is to be taken."""
        sender = self.sender
        if sender is not None:
            others = (one for one in sender.repos if one != repo)
            sender.repos = (repo, *others)

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """As `Store.get`."""
        waiting = self._waiting.having(cid)
        if waiting is not None:
            return waiting.get(cid, max_size=max_size)
        return self._rpc.retried(lambda: self._gateway.block(cid, max_size))

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """As `Store.put`; one upload for each block, except within `batch`.

        Raises:
            UploadRefused: the server does not take it from this wallet.
        """
        check_block_size("block", len(block))
        waits = self._waiting.put(codec, block)
        if waits is not None:
            return waits
        whole = bytes(block)
        cid = block_cid(codec, whole)
        self.put_all([BlockSource(cid, len(whole), lambda: whole)])
        return cid

    def has(self, cid: Cid) -> bool:
        """As `Store.has`."""
        return self._waiting.having(cid) is not None or not self._rpc.missing([cid])

    def delete(self, cid: Cid) -> None:
        """Never deletes: that is done where the server runs.

        Raises:
            UploadRefused: always.
        """
        raise UploadRefused("delete", f"{self.url} deletes no block, as {cid}")

    def batch(self) -> AbstractContextManager[None]:
        """As `Store.batch`: blocks wait in a folder of this machine until the end."""
        return self._waiting.batch(self.put_all)

    def __iter__(self) -> Iterator[Cid]:
        """A server does not list what it has.

        Raises:
            StoreUnavailable: always.
        """
        raise StoreUnavailable(f"{self.url} does not list its blocks")

    def put_all(
        self,
        blocks: Iterable[BlockSource],
        *,
        done: Callable[[BlockSource], None] = lambda _: None,
    ) -> tuple[int, int]:
        """As `BulkStore.put_all`: CARs of bounded size, one after the other.

        Raises:
            UploadRefused: the server does not take them from this wallet.
        """
        n_blocks = n_bytes = 0
        for part in in_parts(blocks, PART_BYTES, _PART_BLOCKS):
            missing = set(self._rpc.missing([one.cid for one in part]))
            new = [one for one in part if one.cid in missing]
            if new:
                self._upload(new)
            n_blocks += len(new)
            n_bytes += sum(one.size for one in new)
            for one in part:
                done(one)
        return n_blocks, n_bytes

    def _upload(self, blocks: Sequence[BlockSource]) -> None:
        with tempfile.TemporaryFile(prefix="flair-") as file:
            digest, size = _write_part(file, blocks)
            # A server whose disk lost bytes asks for the file once more.
            for is_last in (False, True):
                try:
                    self._send(file, digest, size)
                except UploadRefused as exc:
                    if is_last or exc.code not in ("digest", "unknown"):
                        raise
                else:
                    return

    def _send(self, file: IO[bytes], car: Digest, size: int) -> None:
        at = self._begin(car, size)
        while not at.is_done:
            if at.offset < size:
                at = self._rpc.append(at, partial(_piece, file, at))
            else:
                at = self._rpc.finish(at)

    def _begin(self, car: Digest, size: int) -> UploadAt:
        """Begins an upload for the repository in which the wallet has a role.

        A command may have looked at several: a fork's origin, models of others.
        """
        sender = self.sender
        if sender is None or not sender.repos:
            raise UploadRefused(
                "sender",
                f"{self.url} takes blocks only for a repository, from a wallet",
            )
        for repo in sender.repos:
            try:
                return self._rpc.begin(partial(self._signed, sender, repo, car, size))
            except UploadRefused as exc:
                if exc.code not in _NO_ROLE or repo == sender.repos[-1]:
                    raise
        raise AssertionError("there is a last one")

    def _signed(
        self, sender: Sender, repo: Address, car: Digest, size: int
    ) -> dict[str, Any]:
        signer = sender.signer
        text = UploadText(
            host=_host(self.url),
            repo=repo,
            wallet=signer.address if sender.wallet is None else sender.wallet,
            car=car,
            size=size,
            nonce=secrets.token_hex(NONCE_SIZE),
            expires_at=int(self._now()) + _VALID_S,
        )
        signature = signer.sign(text.message)
        return {
            "text": text.message.decode("ascii"),
            "signer": str(signer.address),
            "signature": base58.b58encode(signature).decode("ascii"),
        }


def _host(url: str) -> str:
    return httpx.URL(url).netloc.decode("ascii").lower()


def _write_part(file: IO[bytes], blocks: Sequence[BlockSource]) -> tuple[Digest, int]:
    digest = hashlib.sha256()
    size = 0

    def write(piece: bytes) -> None:
        nonlocal size
        digest.update(piece)
        size += file.write(piece)

    write(encode_header((blocks[-1].cid,)))
    for one in blocks:
        block = one.read()
        write(encode_block_head(one.cid, len(block)))
        write(block)
    file.flush()
    return Digest(digest.digest()), size


def _piece(file: IO[bytes], at: UploadAt) -> bytes:
    return os.pread(file.fileno(), _PIECE_BYTES, at.offset)
