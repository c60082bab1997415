"""JSON-RPC over HTTP: one question, one checked envelope.

Time limits, answers that are too big, broken or late, and requests that come too
often are dealt with here. What the answers mean is `chain.rpc`'s business.
"""

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, Final

import httpx

from flair_client.errors import RpcRefused, RpcUnavailable, UsageError

MIB: Final = 1024 * 1024
_TOO_MANY: Final = 429
_SLOT_NOT_REACHED: Final = -32016
_BUSY: Final = (_TOO_MANY, 503)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_MESSAGE_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class Door:
    """The way out of a network that lets nobody out by himself.

    Attributes:
        proxy: URL of an HTTP proxy; None: what the environment says.
        ca_file: certificates, in PEM, of those who sign for servers besides the
            system's.
    """

    proxy: str | None = None
    ca_file: str | None = None


OPEN_DOOR: Final = Door()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often an RPC is asked.

    Attributes:
        timeout_s: for one attempt, between two pieces of an answer.
        answer_s: for one attempt, until the last piece is there.
        attempts: at most this many, where asking twice does no harm.
        backoff_s: pause after the first failure; doubles each time.
        backoff_limit_s: no pause is longer; a server that asks for more is not asked
            again.
        answer_limit: bytes of one answer.
    """

    timeout_s: float = 30.0
    answer_s: float = 300.0
    attempts: int = 5
    backoff_s: float = 0.25
    backoff_limit_s: float = 30.0
    answer_limit: int = 64 * MIB


class Retry(Exception):
    """The attempt failed in a way that another may not.

    Attributes:
        after_s: not before so many seconds, as the server says.
    """

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Transport:
    """Asks one RPC; safe to use from one thread at a time."""

    def __init__(
        self,
        url: str,
        *,
        patience: Patience,
        door: Door = OPEN_DOOR,
        http: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet.

        Raises:
            UsageError: the URL is not http or https, or the file of certificates
                cannot be read.
        """
        if not _is_http(url):
            raise UsageError(f"{url!r} is not an http URL")
        self.url = url
        self.patience = patience
        self.sleep = sleep
        self._now = now
        self._ids = count(1)
        parsed = httpx.URL(url)
        inside = is_inside(parsed.host)
        self._http = httpx.Client(
            transport=http,
            timeout=patience.timeout_s,
            # Reading all certificates takes a while, and without TLS none is needed:
            # redirects are not followed.
            verify=parsed.scheme == "https" and trusted(door),
            # A proxy leads to the outside; this machine is inside.
            proxy=None if inside or http is not None else door.proxy,
            trust_env=not inside,
            # An answer that unpacks to more than it says would take memory unseen.
            headers={"accept-encoding": "identity"},
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def ask(self, method: str, params: list[Any], *, once: bool = False) -> Any:
        """Gives the `result` of a request.

        Args:
            method: of Solana's JSON-RPC.
            params: positional.
            once: never ask again after an attempt that may have had an effect.

        Raises:
            RpcRefused: the RPC answered with an error.
            RpcUnavailable: no usable answer after all attempts.
        """
        attempts = 1 if once else self.patience.attempts
        return self._patiently(method, attempts, lambda: self.attempt(method, params))

    def ask_many(self, method: str, questions: list[list[Any]]) -> list[Any]:
        """Gives the results of several requests of one method, sent as one batch.

        Args:
            method: of Solana's JSON-RPC; one that asking twice does no harm.
            questions: positional parameters of each.

        Raises:
            RpcRefused: the RPC answered one of them, or all, with an error.
            RpcUnavailable: no usable answer after all attempts.
        """
        found: list[Any] = self._patiently(
            method, self.patience.attempts, lambda: self.attempt_many(method, questions)
        )
        return found

    def _patiently(self, method: str, attempts: int, ask: Callable[[], Any]) -> Any:
        for attempt in range(1, attempts + 1):
            try:
                return ask()
            except Retry as exc:
                if attempt == attempts:
                    raise RpcUnavailable(f"{method}: {exc}") from exc
                self.sleep(self.pause(method, attempt, exc.after_s))
        raise RpcUnavailable(f"{method}: not asked")

    def pause(self, method: str, attempt: int, after_s: float | None) -> float:
        """Gives how long to wait after an attempt, by its number and `Retry-After`.

        Raises:
            RpcUnavailable: the server wants to be left alone for longer than we wait.
        """
        limit = self.patience.backoff_limit_s
        if after_s is not None and after_s > limit:
            raise RpcUnavailable(
                f"{method}: the server wants to be left alone for {after_s:g} s"
            )
        own: float = min(self.patience.backoff_s * 2 ** (attempt - 1), limit)
        return own if after_s is None else max(own, after_s)

    def attempt(self, method: str, params: list[Any]) -> Any:
        """Asks once.

        Raises:
            Retry: the attempt failed in a way that another may not.
            RpcRefused, RpcUnavailable: as `ask`.
        """
        question = self._question(method, params)
        answer = _parse(self._exchange(method, question))
        return _open_envelope(method, question["id"], answer)

    def attempt_many(self, method: str, questions: list[list[Any]]) -> list[Any]:
        """Asks several questions once; otherwise as `attempt`."""
        batch = [self._question(method, params) for params in questions]
        answers = _parse(self._exchange(method, batch))
        if not isinstance(answers, list):
            # The whole batch was refused; its error belongs to no single question.
            _open_envelope(method, None, answers)
            raise Retry("the answer is not a batch")
        by_id = {
            one["id"]: one
            for one in answers
            if isinstance(one, dict) and type(one.get("id")) is int
        }
        if len(answers) != len(batch) or by_id.keys() != {one["id"] for one in batch}:
            raise Retry("the answers belong to other requests")
        return [_open_envelope(method, one["id"], by_id[one["id"]]) for one in batch]

    def _question(self, method: str, params: list[Any]) -> dict[str, Any]:
        return {
            "jsonrpc": "2.0",
            "id": next(self._ids),
            "method": method,
            "params": params,
        }

    def _exchange(self, method: str, question: Any) -> bytes:
        try:
            with self._http.stream("POST", self.url, json=question) as answer:
                _check_status(method, answer)
                return self._read(method, answer)
        except httpx.TimeoutException as exc:
            raise Retry(f"{self.url} did not answer in time") from exc
        except httpx.HTTPError as exc:
            raise Retry(f"{self.url} cannot be reached: {exc}") from exc

    def _read(self, method: str, answer: httpx.Response) -> bytes:
        packing = answer.headers.get("content-encoding", "identity").lower()
        if packing != "identity":
            raise RpcUnavailable(f"{method}: the answer is packed as {packing[:20]!r}")
        limit = self.patience.answer_limit
        ends = self._now() + self.patience.answer_s
        parts: list[bytes] = []
        size = 0
        for part in answer.iter_raw():
            size += len(part)
            if size > limit:
                raise RpcUnavailable(f"{method}: the answer is above {limit} bytes")
            if self._now() > ends:
                raise Retry(f"{self.url} did not answer in time")
            parts.append(part)
        return b"".join(parts)


def trusted(door: Door) -> "ssl.SSLContext | bool":
    """Gives whose certificates are believed; True: the system's.

    Raises:
        UsageError: the file of certificates cannot be read.
    """
    if door.ca_file is None:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=door.ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise UsageError(f"{door.ca_file}: no certificates in PEM") from exc
    return context


def is_inside(host: str) -> bool:
    """Tells whether a host is this machine."""
    return host in _LOOPBACK


def _is_http(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


def _check_status(method: str, answer: httpx.Response) -> None:
    status = answer.status_code
    said = "too many requests" if status == _TOO_MANY else f"status {status}"
    if status in _BUSY:
        raise Retry(f"the server says: {said}", _retry_after(answer.headers))
    if answer.is_server_error:
        raise Retry(f"the server says: {said}")
    if not answer.is_success:
        raise RpcUnavailable(f"{method}: the server says: {said}")


def _retry_after(headers: httpx.Headers) -> float | None:
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    # A moment; how far off it is tells the server's own clock, not ours.
    moment, server_now = _moment(text), _moment(headers.get("date", ""))
    if moment is None or server_now is None:
        return None
    return max(0.0, (moment - server_now).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # Without a zone it cannot be compared.
    return None if found.tzinfo is None else found


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise Retry("the answer is not JSON") from exc


def _open_envelope(method: str, request_id: int | None, envelope: Any) -> Any:
    if not isinstance(envelope, dict):
        raise Retry("the answer is not a JSON-RPC answer")
    error = envelope.get("error")
    given_id = envelope.get("id")
    # A server that could not even read the request has no id to give.
    is_ours = type(given_id) is int and given_id == request_id
    if not is_ours and not (error is not None and given_id is None):
        raise Retry("the answer belongs to another request")
    if error is not None:
        raise _refusal(method, error)
    if "result" not in envelope:
        raise Retry("the answer is not a JSON-RPC answer")
    return envelope["result"]


def _refusal(method: str, error: Any) -> RpcRefused | Retry:
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        return Retry("the answer is not a JSON-RPC answer")
    if error["code"] == _TOO_MANY:
        return Retry("too many requests")
    if error["code"] == _SLOT_NOT_REACHED:
        return Retry("the node is behind what was seen already")
    message = str(error.get("message", ""))[:_MESSAGE_LIMIT]
    return RpcRefused(method, error["code"], message, error.get("data"))
