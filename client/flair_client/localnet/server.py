"""JSON-RPC over HTTP: envelopes, batches, limits, and who may ask.

Only programs on this machine are answered: a request must name a loopback host, carry
JSON, and come from no web page.
"""

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flair_client.localnet.faults import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcFault,
)
from flair_client.localnet.ledger import LedgerFull
from flair_client.localnet.methods import METHODS, Node
from flair_client.localnet.params import Params

BODY_LIMIT: Final = 256 * 1024
BATCH_LIMIT: Final = 100
_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_JSON: Final = "application/json"
_log = logging.getLogger(__name__)


def create_app(
    node: Node,
    *,
    on_ready: Callable[[], None] = lambda: None,
) -> Starlette:
    """Gives the server's application.

    Args:
        node: what the methods work on.
        on_ready: called when requests are about to be answered.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        on_ready()
        yield

    async def ask(request: Request) -> Response:
        refusal = _refuse(request)
        if refusal is not None:
            return refusal
        body = await _read(request)
        if body is None:
            return PlainTextResponse("the request is too large", status_code=413)
        # Answered here and now, one at a time: the chain belongs to one thread.
        answer = answer_body(node, body)
        if answer is None:
            return Response(status_code=204)
        return Response(json.dumps(answer), media_type=_JSON)

    async def health(request: Request) -> Response:
        return _refuse_host(request) or PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/", ask, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ],
        lifespan=lifespan,
    )


def _refuse(request: Request) -> Response | None:
    refusal = _refuse_host(request)
    if refusal is not None:
        return refusal
    # A web page cannot send this type without asking first, which nobody answers.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        return PlainTextResponse(f"the content type must be {_JSON}", status_code=415)
    if "origin" in request.headers:
        return PlainTextResponse("web pages are not answered", status_code=403)
    return None


def _refuse_host(request: Request) -> Response | None:
    # A name that somebody else points at this machine is not a loopback name.
    host = request.headers.get("host", "").lower()
    name, _, port = host.rpartition(":")
    is_loopback = host in _LOOPBACK_NAMES or (
        name in _LOOPBACK_NAMES and port.isdecimal()
    )
    if is_loopback:
        return None
    return PlainTextResponse("the host must be this machine", status_code=403)


async def _read(request: Request) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)


def answer_body(node: Node, body: bytes) -> Any:
    """Gives the answer to a request or a batch; None where none is wanted."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return _error(None, RpcFault(PARSE_ERROR, "Parse error"))
    if not isinstance(given, list):
        return _answer(node, given)
    if not given:
        return _error(None, RpcFault(INVALID_REQUEST, "Invalid request"))
    if len(given) > BATCH_LIMIT:
        return _error(
            None, RpcFault(INVALID_REQUEST, f"at most {BATCH_LIMIT} in one batch")
        )
    answers = [_answer(node, one) for one in given]
    return [one for one in answers if one is not None] or None


def _answer(node: Node, given: Any) -> dict[str, Any] | None:
    if not _is_request(given):
        return _error(None, RpcFault(INVALID_REQUEST, "Invalid request"))
    request_id = given.get("id")
    try:
        result = _call(node, given)
    except RpcFault as exc:
        answer = _error(request_id, exc)
    except LedgerFull as exc:
        _log.warning("ledger_full")
        answer = _error(request_id, RpcFault(INTERNAL_ERROR, str(exc)))
    else:
        answer = {"jsonrpc": "2.0", "result": result, "id": request_id}
    # Without an id it is a notification, which gets no answer.
    return answer if "id" in given else None


def _is_request(given: Any) -> bool:
    return (
        isinstance(given, dict)
        and given.get("jsonrpc") == "2.0"
        and isinstance(given.get("method"), str)
        and isinstance(given.get("id"), str | int | float | None)
    )


def _call(node: Node, given: dict[str, Any]) -> Any:
    function = METHODS.get(given["method"])
    if function is None:
        raise RpcFault(METHOD_NOT_FOUND, "Method not found")
    params = given.get("params")
    if params is None:
        params = []
    if not isinstance(params, list):
        raise RpcFault(INVALID_REQUEST, "params must be an array")
    return function(node, Params(params))


def _error(request_id: Any, fault: RpcFault) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": fault.as_json(), "id": request_id}
