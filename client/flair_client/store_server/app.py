"""The store server over HTTP: `/ipfs/CID` gives, `/uploads` takes."""

import asyncio
import binascii
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import base58
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flair_client.errors import (
    BlockMissing,
    ChainError,
    DigestMismatch,
    FlairError,
    IdentifierInvalid,
    ObjectError,
    RecordDamaged,
    StoreError,
    StoreFull,
    UploadRefused,
    WorkspaceError,
)
from flair_client.ids import Address, Cid
from flair_client.store.base import Store
from flair_client.store_server.gateway import (
    PROBE,
    RAW_TYPE,
    Form,
    NotAcceptable,
    asked_form,
    car_pieces,
    first_piece,
)
from flair_client.store_server.uploads import Progress, UploadDesk

# A text, an address and a signature; 1,000 CIDs.
_QUESTION_LIMIT: Final = 4096
_CIDS_LIMIT: Final = 96 << 10
MAX_ASKED: Final = 1000
# A sender that is silent for so long is not waited for.
_SILENCE_S: Final = 60.0
_STATUS: Final = {
    "unknown": 404,
    "offset": 409,
    "busy": 409,
    "replayed": 409,
    "silence": 408,
    "digest": 422,
    "block": 422,
}
_ANSWERS: Final[tuple[tuple[tuple[type[Exception], ...], int, str, str], ...]] = (
    ((ObjectError, IdentifierInvalid), 400, "request", ""),
    ((NotAcceptable,), 406, "form", ""),
    ((BlockMissing,), 404, "missing", "there is no such block here"),
    ((DigestMismatch,), 500, "broken", "this block is broken here"),
    ((StoreFull,), 507, "full", "the store has no room left"),
    ((ChainError,), 503, "chain", "the server's chain gives no usable answers"),
    ((StoreError,), 503, "store", "the server's store gives no usable answers"),
    (
        (RecordDamaged, WorkspaceError),
        503,
        "ledger",
        "the server's ledger is in trouble",
    ),
)
# What a CID names never changes.
_FOREVER: Final = "public, max-age=29030400, immutable"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """What the server works with.

    Attributes:
        desk: takes uploads.
        blocks: are given from here.
        about: what `GET /` says.
    """

    desk: UploadDesk
    blocks: Store
    about: dict[str, Any]


def create_app(service: Service, *, on_ready: Callable[[], None]) -> Starlette:
    """Gives the server's application.

    Args:
        service: what it works with.
        on_ready: called when requests are about to be answered.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        on_ready()
        yield

    def route(
        path: str,
        method: str,
        answer: Callable[[Service, Request], Awaitable[Response]],
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answered(answer, service, request)

        return Route(path, endpoint, methods=[method])

    return Starlette(
        routes=[
            route("/", "GET", _about),
            route("/healthz", "GET", _health),
            route("/ipfs/{path:path}", "GET", _give),
            route("/missing", "POST", _missing),
            route("/uploads", "POST", _begin),
            route("/uploads/{upload}", "GET", _progress),
            route("/uploads/{upload}", "PATCH", _append),
            route("/uploads/{upload}/finish", "POST", _finish),
        ],
        lifespan=lifespan,
    )


async def _answered(
    answer: Callable[[Service, Request], Awaitable[Response]],
    service: Service,
    request: Request,
) -> Response:
    try:
        return await answer(service, request)
    except (FlairError, NotAcceptable) as exc:
        status, code, message = _told(exc)
        _log.info("refused", extra={"code": code, "reason": str(exc)})
        return _error(status, code, message)


def _told(error: Exception) -> tuple[int, str, str]:
    """Status, code and words; its own RPC and files are nobody else's business."""
    if isinstance(error, UploadRefused):
        return _STATUS.get(error.code, 403), error.code, str(error)
    for kinds, status, code, message in _ANSWERS:
        if isinstance(error, kinds):
            return status, code, message or str(error)
    return 500, "internal", "the server failed"


async def _about(service: Service, _request: Request) -> Response:
    return JSONResponse(service.about)


async def _health(service: Service, _request: Request) -> Response:
    await run_in_threadpool(service.desk.ledger.taken, service.desk.now())
    return JSONResponse({"status": "ok"})


async def _give(service: Service, request: Request) -> Response:
    path = request.path_params["path"]
    form = asked_form(request.query_params, request.headers.get("accept", ""))
    if path == PROBE and not form.is_car:
        return Response(b"", headers=_headers(PROBE, form), media_type=RAW_TYPE)
    cid = Cid.parse(path)
    headers = _headers(path, form)
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return await run_in_threadpool(_given, service.blocks, cid, form, headers)


def _given(store: Store, cid: Cid, form: Form, headers: dict[str, str]) -> Response:
    if not form.is_car:
        return Response(store.get(cid), headers=headers, media_type=form.media_type)
    head, rest = first_piece(car_pieces(store, cid, form.scope))

    def pieces() -> Iterator[bytes]:
        yield head
        yield from rest

    async def body() -> AsyncIterator[bytes]:
        # A block that is missing cuts the answer off: the reader notices.
        async for piece in iterate_in_threadpool(pieces()):
            yield piece

    return StreamingResponse(body(), headers=headers, media_type=form.media_type)


def _headers(cid: str, form: Form) -> dict[str, str]:
    tag = f"{cid}.{form.suffix}.{form.scope}" if form.is_car else f"{cid}.raw"
    return {
        "etag": f'"{tag}"',
        "cache-control": _FOREVER,
        "content-disposition": f'attachment; filename="{cid}.{form.suffix}"',
        "x-content-type-options": "nosniff",
        "x-ipfs-path": f"/ipfs/{cid}",
        "x-ipfs-roots": cid,
        "vary": "accept",
        "accept-ranges": "none",
    }


async def _missing(service: Service, request: Request) -> Response:
    given = _json(await _read(request, _CIDS_LIMIT))
    texts = given.get("cids")
    if not isinstance(texts, list) or len(texts) > MAX_ASKED:
        return _error(400, "request", f"no JSON with at most {MAX_ASKED} CIDs")
    cids = [Cid.parse(str(text)) for text in texts]

    def look() -> list[str]:
        return [str(cid) for cid in cids if not service.blocks.has(cid)]

    return JSONResponse({"missing": await run_in_threadpool(look)})


async def _begin(service: Service, request: Request) -> Response:
    given = _json(await _read(request, _QUESTION_LIMIT))
    try:
        message = str(given["text"]).encode("ascii")
        signer = Address.parse(str(given["signer"]))
        signature = base58.b58decode(str(given["signature"])[:128])
    except (KeyError, ValueError, IdentifierInvalid, binascii.Error):
        return _error(400, "request", "no JSON with text, signer and signature")
    found = await run_in_threadpool(service.desk.begin, message, signer, signature)
    return _shown(found, 201)


async def _progress(service: Service, request: Request) -> Response:
    found = await run_in_threadpool(
        service.desk.progress, request.path_params["upload"]
    )
    return _shown(found)


async def _append(service: Service, request: Request) -> Response:
    upload = request.path_params["upload"]
    offset = request.headers.get("upload-offset", "")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 16):
        return _error(400, "request", "Upload-Offset says from which byte on")
    with contextlib.ExitStack() as stack:
        writer = await run_in_threadpool(
            stack.enter_context, service.desk.append(upload, int(offset))
        )
        # What was written before the sender went away stays, and counts.
        with contextlib.suppress(ClientDisconnect):
            async for piece in _pieces(request):
                await run_in_threadpool(writer.write, piece)
    return _shown(await run_in_threadpool(service.desk.progress, upload))


async def _finish(service: Service, request: Request) -> Response:
    found = await run_in_threadpool(service.desk.finish, request.path_params["upload"])
    return _shown(found)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            piece = await asyncio.wait_for(anext(stream), _SILENCE_S)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise UploadRefused("silence", "nothing has come for a while") from None
        if piece:
            yield piece


async def _read(request: Request, limit: int) -> bytes:
    body = b""
    async for piece in _pieces(request):
        body += piece
        if len(body) > limit:
            raise UploadRefused("size", f"a question has at most {limit} bytes")
    return body


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _shown(found: Progress, status: int = 200) -> Response:
    return JSONResponse(
        {
            "upload": found.id,
            "offset": found.offset,
            "size": found.size,
            "done": found.is_done,
        },
        status_code=status,
    )


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse(
        {"error": {"code": code, "message": message}}, status_code=status
    )
