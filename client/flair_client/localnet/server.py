"""JSON-RPC over HTTP: envelopes, batches, limits, and who may ask.

Only programs on this machine are answered: a request must name a loopback host, carry
JSON, and come from no web page but those of the origins that were allowed.
"""

import asyncio
import contextlib
import json
import logging
import math
import re
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from flair_client.errors import UsageError
from flair_client.localnet.faults import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcFault,
)
from flair_client.localnet.ledger import LedgerDamaged, LedgerFull
from flair_client.localnet.methods import METHODS, Node
from flair_client.localnet.params import Params
from flair_client.localnet.subscriptions import Subscriber, Subscriptions

BODY_LIMIT: Final = 256 * 1024
BATCH_LIMIT: Final = 100
_TRY_AGAIN_LATER: Final = 1013
_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_JSON: Final = "application/json"
# Headers that web wallets and Solana's own libraries send besides those of any page.
_WEB_HEADERS: Final = ("content-type", "solana-client")
_ORIGIN: Final = re.compile(
    r"(https?|[a-z]+-extension)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?"
)
_log = logging.getLogger(__name__)


def create_app(
    node: Node,
    *,
    origins: Iterable[str] = (),
    on_ready: Callable[[], None] = lambda: None,
) -> Starlette:
    """Gives the server's application.

    Args:
        node: what the methods work on.
        origins: web pages from there are answered too.
        on_ready: called when requests are about to be answered.

    Raises:
        UsageError: an origin is none.
    """
    allowed = frozenset(check_origin(one) for one in origins)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        on_ready()
        yield

    async def ask(request: Request) -> Response:
        refusal = _refuse(request, allowed)
        if refusal is not None:
            return refusal
        body = await _read(request)
        if body is None:
            return PlainTextResponse("the request is too large", status_code=413)
        # Answered here and now, one at a time: the chain belongs to one thread.
        answer = answer_body(node, body)
        if answer is None:
            return Response(media_type=_JSON)
        return Response(json.dumps(answer), media_type=_JSON)

    subscriptions = Subscriptions(node)

    async def subscribe(socket: WebSocket) -> None:
        if _refuse_host(socket) or _refuse_origin(socket, allowed):
            # Before it is accepted this is an answer with status 403.
            await socket.close()
            return
        await socket.accept()
        await _converse(socket, subscriptions)

    async def health(request: Request) -> Response:
        return _refuse_host(request) or PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/", ask, methods=["POST"]),
            WebSocketRoute("/", subscribe),
            Route("/health", health, methods=["GET"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=sorted(allowed),
                allow_methods=["POST"],
                allow_headers=_WEB_HEADERS,
            )
        ]
        if allowed
        else [],
        lifespan=lifespan,
    )


def check_origin(origin: str) -> str:
    """Gives an origin of web pages as browsers write it.

    Raises:
        UsageError: it is none, or more than an origin.
    """
    text = origin.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(text):
        raise UsageError(f"{origin!r} is not an origin such as http://localhost:5000")
    return text


def _refuse(request: Request, allowed: frozenset[str]) -> Response | None:
    refusal = _refuse_host(request)
    if refusal is not None:
        return refusal
    # A web page cannot send this type without asking first, which nobody answers.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        return PlainTextResponse(f"the content type must be {_JSON}", status_code=415)
    return _refuse_origin(request, allowed)


def _refuse_origin(request: HTTPConnection, allowed: frozenset[str]) -> Response | None:
    origin = request.headers.get("origin")
    if origin is not None and origin not in allowed:
        return PlainTextResponse("web pages are not answered", status_code=403)
    return None


def _refuse_host(request: HTTPConnection) -> Response | None:
    # A name that somebody else points at this machine is not a loopback name.
    host = request.headers.get("host", "").lower()
    name, _, port = host.rpartition(":")
    is_loopback = host in _LOOPBACK_NAMES or (
        name in _LOOPBACK_NAMES and port.isdecimal()
    )
    if is_loopback:
        return None
    return PlainTextResponse("the host must be this machine", status_code=403)


async def _converse(socket: WebSocket, subscriptions: Subscriptions) -> None:
    """Answers a connection's subscriptions, and notifies, until it is closed."""
    subscriber = subscriptions.join()

    async def send() -> None:
        while (text := await subscriber.outgoing.get()) is not None:
            await socket.send_text(text)
        # It did not read what it wanted to be told.
        await socket.close(_TRY_AGAIN_LATER)

    sender = asyncio.create_task(send())
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            text = message.get("text") or message.get("bytes") or ""
            _answer_socket(subscriptions, subscriber, text)
    except (WebSocketDisconnect, RuntimeError):
        # Gone between two messages.
        return
    finally:
        subscriptions.leave(subscriber)
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await sender


def _answer_socket(
    subscriptions: Subscriptions, subscriber: Subscriber, text: str | bytes
) -> None:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        subscriber.push(_unreadable())
        return

    def call(name: str, params: Params) -> Any:
        return subscriptions.call(subscriber, name, params)

    answer = _answer(call, given)
    if answer is not None:
        subscriber.push(answer)
        if type(answer.get("result")) is int:
            subscriptions.catch_up(subscriber, answer["result"])


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
        return _unreadable()

    def call(name: str, params: Params) -> Any:
        function = METHODS.get(name)
        if function is None:
            raise RpcFault(METHOD_NOT_FOUND, "Method not found")
        return function(node, params)

    if not isinstance(given, list):
        return _answer(call, given)
    if len(given) > BATCH_LIMIT:
        return _error(
            None, RpcFault(INVALID_REQUEST, f"at most {BATCH_LIMIT} in one batch")
        )
    # As on a real node, one piece that is no request spoils the whole batch.
    if not all(_has_shape(one) for one in given):
        return _unreadable()
    answers = [_answer(call, one) for one in given]
    return [one for one in answers if one is not None] or None


def _unreadable() -> dict[str, Any]:
    return _error(None, RpcFault(PARSE_ERROR, "Parse error"))


def _has_shape(given: Any) -> bool:
    if not isinstance(given, dict):
        return False
    request_id = given.get("id")
    if isinstance(request_id, float):
        # Python reads infinities and NaN, which are no JSON and could not be sent back.
        return math.isfinite(request_id)
    return request_id is None or type(request_id) in (int, str)


_Call: TypeAlias = Callable[[str, Params], Any]


def _answer(call: _Call, given: Any) -> dict[str, Any] | None:
    if not _has_shape(given):
        return _unreadable()
    request_id = given.get("id")
    try:
        result = _call(call, given)
    except RpcFault as exc:
        answer = _error(request_id, exc)
    except (LedgerFull, LedgerDamaged) as exc:
        _log.warning("ledger_failed", extra={"reason": str(exc)})
        answer = _error(request_id, RpcFault(INTERNAL_ERROR, str(exc)))
    else:
        answer = {"jsonrpc": "2.0", "result": result, "id": request_id}
    # Without an id it is a notification, which gets no answer.
    return answer if "id" in given else None


def _call(call: _Call, given: dict[str, Any]) -> Any:
    if given.get("jsonrpc") != "2.0" or not isinstance(given.get("method"), str):
        raise RpcFault(INVALID_REQUEST, "Invalid request")
    params = given.get("params")
    if params is None:
        params = []
    if not isinstance(params, list):
        raise RpcFault(INVALID_PARAMS, "`params` should be an array")
    return call(given["method"], Params(params))


def _error(request_id: Any, fault: RpcFault) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": fault.as_json(), "id": request_id}
