"""The sponsor's service over HTTP: `GET /` says who it is, `POST /sign` signs."""

import base64
import binascii
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import base58
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flair_client.errors import (
    ChainError,
    FlairError,
    ObjectError,
    RecordDamaged,
    SponsorRefused,
    StoreFull,
    WorkspaceError,
)
from flair_client.sponsor.desk import Desk
from flair_client.sponsor.signer import SIGN_PATH

# A transaction has at most 1,232 bytes, 1,644 in base64.
_BODY_LIMIT: Final = 4096
_log = logging.getLogger(__name__)


def create_app(desk: Desk, *, on_ready: Callable[[], None]) -> Starlette:
    """Gives the service's application.

    Args:
        desk: decides and signs.
        on_ready: called when requests are about to be answered.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        on_ready()
        yield

    async def about(_request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "sponsor": str(desk.terms.sponsor),
                "program": str(desk.terms.program_id),
                "repos": sorted(str(one) for one in desk.terms.repos),
            }
        )

    async def sign(request: Request) -> JSONResponse:
        body = await _read(request)
        wire = None if body is None else _wire(body)
        if wire is None:
            return _error(400, "request", "no JSON with a transaction in base64")
        return await run_in_threadpool(_answer, desk, wire)

    return Starlette(
        routes=[
            Route("/", about, methods=["GET"]),
            Route(SIGN_PATH, sign, methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def _answer(desk: Desk, wire: bytes) -> JSONResponse:
    try:
        signature = desk.cosign(wire)
    except SponsorRefused as exc:
        _log.info("refused", extra={"code": exc.code, "reason": str(exc)})
        return _error(403, exc.code, str(exc))
    except ObjectError as exc:
        return _error(400, "transaction", str(exc))
    except (ChainError, RecordDamaged, WorkspaceError, StoreFull) as exc:
        _log.warning("failed", extra={"reason": str(exc)})
        # Its text names the sponsor's own RPC or files, which are nobody's business.
        kind = "chain" if isinstance(exc, ChainError) else "ledger"
        return _error(503, kind, f"the sponsor's {kind} gives no usable answers")
    except FlairError as exc:
        _log.warning("failed", extra={"reason": str(exc)})
        return _error(500, "internal", "the sponsor failed")
    return JSONResponse({"signature": base58.b58encode(signature).decode("ascii")})


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse(
        {"error": {"code": code, "message": message}}, status_code=status
    )


async def _read(request: Request) -> bytes | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _BODY_LIMIT:
            return None
    return body


def _wire(body: bytes) -> bytes | None:
    try:
        given: Any = json.loads(body)
        text = given["transaction"]
        if list(given) != ["transaction"] or not isinstance(text, str):
            return None
        return base64.b64decode(text, validate=True)
    except (ValueError, RecursionError, KeyError, TypeError, binascii.Error):
        return None
