"""One trustless gateway: blocks and CARs from a server that is not believed.

https://specs.ipfs.tech/http-gateways/trustless-gateway/: `GET /ipfs/CID?format=raw` is
a block, `?format=car` an object with all that it refers to.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import httpx

from flair_client.encoding.car import links_in
from flair_client.errors import (
    BlockMissing,
    CarCut,
    CarInvalid,
    ObjectTooLarge,
    StoreUnavailable,
    UsageError,
)
from flair_client.ids import CODEC_RAW, Cid
from flair_client.store.base import check_block
from flair_client.store.car import CarReader, Pieces

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_MISSING: Final = (404, 410)
_RAW: Final = "application/vnd.ipld.raw"
_CAR: Final = "application/vnd.ipld.car; version=1; order=dfs; dups=n"


@dataclass(slots=True)
class Gateway:
    """One server.

    Attributes:
        url: without the path.
        http: its connections.
        n_failed: how often it did not answer as it should.
        lie: what it gave that was not what the CID says; it is not asked again.
    """

    url: str
    http: httpx.Client
    n_failed: int = 0
    lie: str | None = None

    def block(self, cid: Cid, limit: int) -> bytes:
        """Gives a block, checked.

        Raises:
            BlockMissing: the gateway has none.
            DigestMismatch, ObjectTooLarge: it gave something else.
            StoreUnavailable: it does not answer.
        """
        with self._open("GET", cid, "raw", _RAW) as answer:
            parts: list[bytes] = []
            size = 0
            for part in self._pieces(answer):
                size += len(part)
                if size > limit:
                    raise ObjectTooLarge(f"block {cid}", size, limit)
                parts.append(part)
        return check_block(cid, b"".join(parts))

    def dag(self, root: Cid) -> Iterator[tuple[Cid, bytes]]:
        """Gives an object and what it refers to, down to the last block, each once.

        Raises:
            CarInvalid: something else came, or not all.
            BlockMissing, StoreUnavailable: as `block`.
        """
        waiting, came = {root}, set[Cid]()
        with self._open("GET", root, "car", _CAR) as answer:
            for cid, block in CarReader(Pieces(self._pieces(answer))):
                if cid in came:
                    continue
                if cid not in waiting:
                    raise CarInvalid(f"block {cid}", "nothing before it refers to it")
                waiting.remove(cid)
                came.add(cid)
                if cid.codec != CODEC_RAW:
                    waiting |= links_in(block) - came
                yield cid, block
        if waiting:
            raise CarCut("end", f"{len(waiting)} blocks are missing")

    def has(self, cid: Cid) -> bool:
        """Whether it says that it has a block.

        Raises:
            StoreUnavailable: it does not answer.
        """
        try:
            with self._open("HEAD", cid, "raw", _RAW):
                return True
        except BlockMissing:
            return False

    def _open(self, method: str, cid: Cid, form: str, accept: str) -> "_Answer":
        return _Answer(self, method, cid, form, accept)

    def _pieces(self, answer: httpx.Response) -> Iterator[bytes]:
        try:
            yield from answer.iter_raw()
        except httpx.HTTPError as exc:
            raise self.unavailable(exc) from exc

    def unavailable(self, reason: object) -> StoreUnavailable:
        """Says that this gateway does not answer."""
        return StoreUnavailable(f"gateway {self.url} does not answer: {reason}")


class _Answer(AbstractContextManager[httpx.Response]):
    """An answer with status 200, closed at the end."""

    def __init__(
        self, gateway: Gateway, method: str, cid: Cid, form: str, accept: str
    ) -> None:
        self._gateway = gateway
        self._cid = cid
        self._request = gateway.http.build_request(
            method,
            f"{gateway.url}/ipfs/{cid}",
            params={"format": form},
            headers={"accept": accept, "accept-encoding": "identity"},
        )

    def __enter__(self) -> httpx.Response:
        try:
            self._answer = self._gateway.http.send(self._request, stream=True)
        except httpx.HTTPError as exc:
            raise self._gateway.unavailable(exc) from exc
        status = self._answer.status_code
        if status == httpx.codes.OK:
            return self._answer
        self._answer.close()
        if status in _MISSING:
            raise BlockMissing(self._cid)
        raise self._gateway.unavailable(f"status {status}")

    def __exit__(self, *_: object) -> None:
        self._answer.close()


def check_gateway_url(url: str) -> str:
    """The URL of a gateway without a slash at its end.

    Raises:
        UsageError: it is not `https://HOST` or `http://HOST`.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise UsageError(f"{url!r} is not the URL of a gateway") from exc
    is_plain = not (parsed.query or parsed.fragment or parsed.userinfo)
    if parsed.scheme not in ("http", "https") or not parsed.host or not is_plain:
        raise UsageError(f"{url!r} is not the URL of a gateway: https://HOST is one")
    return url.rstrip("/")


def gateway_client(
    url: str, patience_s: float, transport: httpx.BaseTransport | None
) -> httpx.Client:
    """Connections to one gateway."""
    parsed = httpx.URL(url)
    return httpx.Client(
        transport=transport,
        timeout=patience_s,
        verify=parsed.scheme == "https",
        trust_env=parsed.host not in _LOOPBACK,
        # Another host may be one that this site does not talk to.
        follow_redirects=False,
    )
