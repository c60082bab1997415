"""Uploads on their way: begun by a signed text, sent in pieces, kept as a whole.

    FOLDER/ledger.db       who sent how much, and which signatures were used
    FOLDER/uploads/ID.car  what has come of an upload; its size is how far it is

Pieces are appended as they come, so that whatever ends, client, server or connection,
the upload goes on where the file ends. When all is there its digest is compared with
the signed one, each block with its CID, and only then the blocks become visible.
"""

import errno
import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flair_client.chain.signer import verify_signature
from flair_client.errors import (
    CarInvalid,
    SignatureInvalid,
    StoreFull,
    StoreUnavailable,
    UploadRefused,
)
from flair_client.ids import Address
from flair_client.store.base import Store
from flair_client.store.car import CarReader
from flair_client.store.upload_text import MAX_VALID_S, UploadText
from flair_client.store_server.ledger import State, Upload, UploadLedger
from flair_client.store_server.rights import Standing, standing_of

if TYPE_CHECKING:
    from flair_client.chain.client import ChainClient

# A file of this size lies on the disk twice while its blocks are written.
MAX_UPLOAD_SIZE: Final = 256 << 20
# What was not gone on with for so long is dropped.
_OPEN_S: Final = 86_400
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_READ_SIZE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is.

    Attributes:
        offset: bytes that have come.
        is_done: whether its blocks are in the store.
    """

    id: str
    offset: int
    size: int
    is_done: bool


@dataclass(frozen=True, slots=True)
class UploadDesk:
    """Takes uploads.

    Attributes:
        chain: by which roles are known.
        open_store: opens the store that blocks go to; anew for each upload, so that
            batches of several do not mix.
        folder: for what is on its way.
        hosts: `HOST[:PORT]` under which the server is known; a text for another one is
            refused.
        repos: that it is run for; None takes any repository of the program.
        quotas: bytes of a day, by standing: of each wallet, or, for `OPEN`, of all
            together.
        now: seconds since 1970.
    """

    chain: "ChainClient"
    open_store: Callable[[], Store]
    folder: Path
    hosts: frozenset[str]
    repos: frozenset[Address] | None
    quotas: Mapping[Standing, int]
    now: Callable[[], int]
    _chain_lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: set[str] = field(default_factory=set)
    _busy_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ledger(self) -> UploadLedger:
        """What was taken from whom."""
        return UploadLedger(self.folder / "ledger.db")

    def begin(self, message: bytes, signer: Address, signature: bytes) -> Progress:
        """Begins an upload, or finds the one of the same file that was cut off.

        Raises:
            UploadRefused: names the rule.
            ObjectError: the text is malformed.
            ChainError: the chain gives no usable answers.
            StoreFull, StoreUnavailable: there is no room for it.
        """
        text = UploadText.parse(message)
        now = self.now()
        self._check(text, signer, signature, now)
        with self._chain_lock:
            standing = standing_of(self.chain, text.repo, text.wallet, signer, now)
        quota = self.quotas.get(standing, 0)
        if not quota:
            raise UploadRefused(
                "stranger", f"wallet {text.wallet} has no role in {text.repo}"
            )
        self.sweep()
        upload = self.ledger.begin(
            secrets.token_hex(16),
            text,
            signer,
            standing=standing,
            quota=quota,
            now=now,
        )
        with self._failures():
            self._path(upload.id).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path(upload.id).touch(mode=0o600)
        return self.progress(upload.id)

    def progress(self, upload_id: str) -> Progress:
        """Tells how far an upload is.

        Raises:
            UploadRefused: there is no such upload.
        """
        upload = self._upload(upload_id)
        if upload.state is State.DONE:
            return Progress(upload.id, upload.size, upload.size, is_done=True)
        try:
            offset = self._path(upload.id).stat().st_size
        except FileNotFoundError:
            offset = 0
        return Progress(upload.id, offset, upload.size, is_done=False)

    @contextmanager
    def append(self, upload_id: str, offset: int) -> "Iterator[PieceWriter]":
        """Gives what takes the bytes of an upload from a place on.

        Raises:
            UploadRefused: there is no such upload, it is at another place, or somebody
                else is sending.
            StoreFull, StoreUnavailable: the disk.
        """
        with self._alone(upload_id):
            found = self.progress(upload_id)
            if found.is_done or found.offset != offset:
                raise UploadRefused(
                    "offset", f"the upload is at byte {found.offset}, not {offset}"
                )
            with self._failures():
                writer = PieceWriter(self._path(upload_id), found.size - offset)
            try:
                yield writer
            finally:
                writer.close()

    def finish(self, upload_id: str) -> Progress:
        """Puts the blocks of an upload that is all there into the store.

        May be done again after any end: blocks are known by their digests.

        Raises:
            UploadRefused: not all is there, the file is not the one that was signed,
                or a block is not what its CID says; then the upload is dropped.
            StoreFull, StoreUnavailable: nothing of it is in the store.
        """
        with self._alone(upload_id):
            found = self.progress(upload_id)
            if found.is_done:
                return found
            if found.offset < found.size:
                raise UploadRefused(
                    "offset", f"{found.size - found.offset} bytes have not come yet"
                )
            upload = self._upload(upload_id)
            try:
                self._check_file(upload)
                self._import(upload.id)
            except (CarInvalid, UploadRefused) as exc:
                self._drop(upload.id)
                code = exc.code if isinstance(exc, UploadRefused) else "block"
                raise UploadRefused(code, str(exc)) from exc
            self.ledger.end(upload.id, State.DONE)
            self._path(upload.id).unlink(missing_ok=True)
        return self.progress(upload_id)

    def sweep(self) -> None:
        """Drops what nobody went on with for a day, and the files of what is over."""
        dropped = set(self.ledger.drop_begun_before(self.now() - _OPEN_S))
        for path in (self.folder / "uploads").glob("*.car"):
            if path.stem in dropped:
                path.unlink(missing_ok=True)

    def _check(
        self, text: UploadText, signer: Address, signature: bytes, now: int
    ) -> None:
        if text.host not in self.hosts:
            raise UploadRefused("host", f"this is not {text.host}")
        try:
            verify_signature(signer, text.message, signature)
        except SignatureInvalid as exc:
            raise UploadRefused("signature", str(exc)) from exc
        if text.expires_at <= now:
            raise UploadRefused("expired", "the signature has expired")
        if text.expires_at > now + MAX_VALID_S:
            raise UploadRefused(
                "expired", f"a signature may hold for {MAX_VALID_S} seconds at most"
            )
        if self.repos is not None and text.repo not in self.repos:
            raise UploadRefused("repo", f"this store is not for repository {text.repo}")
        if not 0 < text.size <= MAX_UPLOAD_SIZE:
            raise UploadRefused(
                "size", f"{text.size} bytes, an upload has 1 to {MAX_UPLOAD_SIZE}"
            )

    def _upload(self, upload_id: str) -> Upload:
        found = self.ledger.find(upload_id)
        if found is None or found.state is State.DROPPED:
            raise UploadRefused("unknown", "there is no such upload")
        return found

    def _path(self, upload_id: str) -> Path:
        # Only names that the ledger gave come here.
        return self.folder / "uploads" / f"{upload_id}.car"

    def _check_file(self, upload: Upload) -> None:
        digest = hashlib.sha256()
        with self._failures(), self._path(upload.id).open("rb") as file:
            while part := file.read(_READ_SIZE):
                digest.update(part)
        if digest.digest() != upload.car:
            raise UploadRefused(
                "digest",
                f"the file has digest {digest.hexdigest()}, not the signed one",
            )

    def _import(self, upload_id: str) -> None:
        store = self.open_store()
        try:
            with self._failures(), self._path(upload_id).open("rb") as file:
                blocks = CarReader(file)
                with store.batch():
                    for cid, block in blocks:
                        store.put(cid.codec, block)
        finally:
            close = getattr(store, "close", None)
            if close is not None:
                close()

    def _drop(self, upload_id: str) -> None:
        self.ledger.end(upload_id, State.DROPPED)
        with suppress(OSError):
            self._path(upload_id).unlink()

    @contextmanager
    def _alone(self, upload_id: str) -> Iterator[None]:
        with self._busy_lock:
            if upload_id in self._busy:
                raise UploadRefused("busy", "this upload is being sent already")
            self._busy.add(upload_id)
        try:
            yield
        finally:
            with self._busy_lock:
                self._busy.discard(upload_id)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        with disk_failures(self.folder):
            yield


class PieceWriter:
    """Appends to a file, and never more than was announced."""

    def __init__(self, path: Path, room: int) -> None:
        self._path = path
        self._room = room
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, piece: bytes) -> None:
        """Appends a piece.

        Raises:
            UploadRefused: more than the text says.
            StoreFull, StoreUnavailable: the disk; what was written stays.
        """
        if len(piece) > self._room:
            raise UploadRefused("size", "more comes than the signed text says")
        rest = memoryview(piece)
        with disk_failures(self._path.parent):
            while rest:
                n_written = os.write(self._fd, rest)
                self._room -= n_written
                rest = rest[n_written:]

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)


@contextmanager
def disk_failures(folder: Path) -> Iterator[None]:
    """Tells a full disk from one that cannot be used.

    Raises:
        StoreFull, StoreUnavailable: instead of an `OSError`.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise StoreFull(f"no room in {folder}: {exc.strerror}") from exc
        raise StoreUnavailable(f"{folder}: {exc.strerror or exc}") from exc
