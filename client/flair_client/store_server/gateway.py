"""What a trustless gateway answers: which form was asked for, and the bytes.

https://specs.ipfs.tech/http-gateways/trustless-gateway/. Blocks (`raw`) and CARs of an
object with what it refers to; nothing else, and no path below a CID.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flair_client.encoding.car import encode_block_head, encode_header, links_in
from flair_client.ids import CODEC_DAG_CBOR, Cid
from flair_client.store.base import Store

RAW_TYPE: Final = "application/vnd.ipld.raw"
CAR_TYPE: Final = "application/vnd.ipld.car"
# The empty block by its identity CID: how clients find out what a server speaks.
PROBE: Final = "bafkqaaa"


class Scope(StrEnum):
    """How much of an object a CAR holds (`dag-scope`)."""

    BLOCK = "block"
    ENTITY = "entity"
    ALL = "all"


class NotAcceptable(ValueError):
    """None of the forms that were asked for is given here."""


@dataclass(frozen=True, slots=True)
class Form:
    """In what form something is asked for.

    Attributes:
        is_car: a CAR, or else one block.
        scope: of the CAR.
    """

    is_car: bool
    scope: Scope = Scope.ALL

    @property
    def media_type(self) -> str:
        """As in `Content-Type`."""
        if self.is_car:
            return f"{CAR_TYPE}; version=1; order=dfs; dups=n"
        return RAW_TYPE

    @property
    def suffix(self) -> str:
        """What a file of it ends with."""
        return "car" if self.is_car else "bin"


def asked_form(query: Mapping[str, str], accept: str) -> Form:
    """Reads what a request asks for; the query counts more than the header.

    Raises:
        NotAcceptable: neither a block nor a CAR of version 1, or a scope that there is
            not.
    """
    wanted = query.get("format")
    if wanted == "raw":
        return Form(is_car=False)
    if wanted == "car":
        return _car_form(query, {})
    if wanted is not None:
        raise NotAcceptable(f"format {wanted[:40]!r} is not given here: raw or car")
    for part in accept.split(","):
        kind, _, rest = part.strip().partition(";")
        if kind.strip().lower() == RAW_TYPE:
            return Form(is_car=False)
        if kind.strip().lower() == CAR_TYPE:
            pairs = (one.partition("=") for one in rest.split(";") if one.strip())
            return _car_form(query, {k.strip(): v.strip() for k, _, v in pairs})
    raise NotAcceptable(
        f"only blocks and CARs are given here: ?format=raw, ?format=car, or {RAW_TYPE} "
        f"and {CAR_TYPE} in Accept"
    )


def _car_form(query: Mapping[str, str], params: Mapping[str, str]) -> Form:
    version = query.get("car-version", params.get("version", "1"))
    if version != "1":
        raise NotAcceptable(f"a CAR of version {version[:10]!r} is not given here: 1")
    order = query.get("car-order", params.get("order", "dfs"))
    if order not in ("dfs", "unk"):
        raise NotAcceptable(f"order {order[:10]!r} is not given here: dfs")
    try:
        return Form(is_car=True, scope=Scope(query.get("dag-scope", "all")))
    except ValueError as exc:
        raise NotAcceptable("dag-scope is block, entity or all") from exc


def car_pieces(store: Store, root: Cid, scope: Scope) -> Iterator[bytes]:
    """Gives a CAR piece by piece, depth first, each block once.

    One block and the CIDs that are still to come are in memory. For an object that is
    no file, an entity is its own block.

    Raises:
        StoreError: a block is missing or broken; what came before is no whole CAR.
    """
    yield encode_header((root,))
    waiting, seen = [root], {root}
    while waiting:
        cid = waiting.pop()
        block = store.get(cid)
        yield encode_block_head(cid, len(block)) + block
        if scope is not Scope.ALL or cid.codec != CODEC_DAG_CBOR:
            continue
        new = sorted(_links(block) - seen, reverse=True)
        seen |= set(new)
        waiting += new


def _links(block: bytes) -> frozenset[Cid]:
    try:
        return links_in(block)
    except ValueError:
        # Kept under its digest all the same; nothing is known to be behind it.
        return frozenset()


def first_piece(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Takes header and first block, so that what is missing is told by a status.

    Raises:
        StoreError: the root cannot be read.
    """
    head = next(pieces)
    return head + next(pieces), pieces
