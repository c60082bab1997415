"""What every store does, and which store a URL means."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit

from flair_client.errors import DigestMismatch, ObjectTooLarge, UsageError
from flair_client.ids import Address, Cid
from flair_client.limits import MAX_OBJECT_SIZE

if TYPE_CHECKING:
    from flair_client.store.served import Sender

_KUBO_SCHEMES: Final = {"kubo": "http", "kubo+https": "https"}


class Store(Protocol):
    """Blocks by CID. Whoever reads gets the bytes that the CID names, or an error."""

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """The block; its digest was checked.

        Raises:
            BlockMissing: the store does not have it.
            DigestMismatch: what the store has is not what the CID says.
            ObjectTooLarge: more than `max_size`; refused before it is read.
            StoreUnavailable: the store does not answer.
        """

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """Keeps a block; when this returns it is durable, except within `batch`.

        Raises:
            ObjectTooLarge: more than any block may have.
            StoreFull: no room; nothing was written.
            StoreUnavailable: the store does not answer.
        """

    def has(self, cid: Cid) -> bool:
        """Whether the store has a block of this name; its bytes are not checked."""

    def delete(self, cid: Cid) -> None:
        """Forgets the block, if it is there."""

    def batch(self) -> AbstractContextManager[None]:
        """Blocks put inside become durable and visible to others together, at the end.

        An error inside leaves none of them behind. Batches may be nested; the outermost
        one counts.
        """

    def __iter__(self) -> Iterator[Cid]:
        """CIDs of all blocks, in no order."""


def check_block(cid: Cid, block: bytes) -> bytes:
    """The block, if it is what the CID names.

    Raises:
        DigestMismatch: it is not.
    """
    digest = hashlib.sha256(block)
    if digest.digest() != cid.digest:
        raise DigestMismatch(cid, digest.hexdigest())
    return block


def check_block_size(name: str, size: int, limit: int = MAX_OBJECT_SIZE) -> None:
    """Refuses a block that is too large.

    Raises:
        ObjectTooLarge: it is.
    """
    if size > limit:
        raise ObjectTooLarge(name, size, limit)


def open_store(url: str, sender: "Callable[[], Sender | None]" = lambda: None) -> Store:
    """The store that a URL names; the only place that knows the schemes.

    Args:
        url: `file:///absolute/folder`, made when it is not there yet;
            `kubo://HOST:PORT`, the RPC of a Kubo node (`kubo+https://` with TLS); or
            `https://HOST`, a store server.
        sender: gives in whose name blocks are sent, where it is a store server.

    Raises:
        UsageError: an unknown scheme or a malformed URL.
        StoreUnavailable: the folder cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme in _KUBO_SCHEMES:
        return _open_kubo(url)
    if parts.scheme in ("https", "http"):
        from flair_client.store.served import ServedStore

        if not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
            form = "https://HOST names a store server"
            raise UsageError(f"{url!r} is not the URL of a store: {form}")
        return ServedStore(url, sender())
    if parts.scheme != "file":
        known = "file:///, kubo:// and https:// are known"
        raise UsageError(f"{url!r} is not the URL of a store: {known}")
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise UsageError(f"{url!r} is not the URL of a store: the folder is absolute")
    if parts.query or parts.fragment:
        raise UsageError(f"{url!r} is not the URL of a store: it ends with the folder")
    from flair_client.store.disk import DiskStore

    return DiskStore(Path(unquote(parts.path)))


def name_repo(store: Store, repo: Address) -> None:
    """Tells a store server by which repository's roles it takes what is sent."""
    main = getattr(store, "main", store)
    for_repo = getattr(main, "for_repo", None)
    if for_repo is not None:
        for_repo(repo)


def _open_kubo(url: str) -> Store:
    parts = urlsplit(url)
    try:
        is_whole = bool(parts.hostname and parts.port)
    except ValueError:
        is_whole = False
    if not is_whole or parts.path not in ("", "/") or parts.query or parts.fragment:
        form = "kubo://HOST:PORT names the RPC of a Kubo node"
        raise UsageError(f"{url!r} is not the URL of a store: {form}")
    if "@" in parts.netloc:
        raise UsageError("the URL of a store holds no password: it is shown to others")
    from flair_client.store.ipfs import KuboStore

    return KuboStore(f"{_KUBO_SCHEMES[parts.scheme]}://{parts.netloc}")
