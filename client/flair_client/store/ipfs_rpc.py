"""Kubo's RPC over HTTP: questions, uploads in a stream, and what refusals mean.

https://docs.ipfs.tech/reference/kubo/rpc/: every call is a POST to `/api/v0/…`; answers
are JSON, a line each where there are several; a refusal is status 500 with a message.
The RPC gives its caller every right: it belongs on this machine or a private network.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from flair_client.errors import ObjectTooLarge, StoreFull, StoreUnavailable

_ANSWER_LIMIT: Final = 4 << 20
_MESSAGE_LIMIT: Final = 300
_MISSING: Final = ("could not find", "not found")
_FULL: Final = ("no space left on device", "disk quota exceeded")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
Params = Sequence[tuple[str, str]]
_T = TypeVar("_T")


class KuboRefused(Exception):
    """Kubo answered that it cannot; its words are the text."""

    @property
    def is_missing(self) -> bool:
        """Whether a block is not there."""
        return any(words in str(self) for words in _MISSING)


class _Gone(Exception):
    """The connection failed; asking again may help."""


@dataclass(frozen=True, slots=True)
class KuboPatience:
    """How long and how often Kubo is asked.

    Attributes:
        timeout_s: between two pieces of an answer, and for a piece of a question.
        attempts: at most this many; every call may be made twice.
        backoff_s: pause after the first failure; doubles each time.
    """

    timeout_s: float = 60.0
    attempts: int = 4
    backoff_s: float = 0.25


class KuboRpc:
    """Asks one Kubo; safe to use from several threads."""

    def __init__(
        self,
        url: str,
        *,
        patience: KuboPatience,
        http: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Opens nothing yet.

        Args:
            url: `http://HOST:PORT`, without the path.
            patience: how long it waits.
            http: instead of the network.
            sleep: pauses.
        """
        self.url = url
        self._patience = patience
        self._sleep = sleep
        parsed = httpx.URL(url)
        self._http = httpx.Client(
            transport=http,
            base_url=f"{url}/api/v0/",
            timeout=patience.timeout_s,
            verify=parsed.scheme == "https",
            # The environment's proxy leads to the outside; this machine is inside.
            trust_env=parsed.host not in _LOOPBACK,
            headers={"accept-encoding": "identity"},
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def ask(
        self,
        call: str,
        params: Params,
        upload: Callable[[], Iterable[bytes]] | None = None,
    ) -> list[Mapping[str, Any]]:
        """Gives the objects of an answer.

        Args:
            call: as `block/stat`.
            params: of the query; a name may come several times.
            upload: gives the bytes of a file to send; called anew for each attempt.

        Raises:
            KuboRefused: Kubo says that it cannot.
            StoreFull: its disk is full.
            StoreUnavailable: no usable answer after all attempts.
        """

        def once() -> list[Mapping[str, Any]]:
            with self._open(call, params, upload) as answer:
                return _objects(call, _read(call, answer, _ANSWER_LIMIT))

        return self._retried(call, once)

    def ask_lines(self, call: str, params: Params) -> Iterator[Mapping[str, Any]]:
        """Gives the objects of a long answer one after the other; asks once.

        Raises:
            As `ask`.
        """
        try:
            with self._open(call, params, None) as answer:
                for line in answer.iter_lines():
                    if line:
                        yield from _objects(call, line.encode())
        except _Gone as exc:
            raise self._unavailable(call, exc) from exc
        except httpx.HTTPError as exc:
            raise self._unavailable(call, exc) from exc

    def fetch(self, call: str, params: Params, name: str, limit: int) -> bytes:
        """Gives the bytes of an answer.

        Args:
            call: as `block/get`.
            params: of the query.
            name: of what is fetched, for messages.
            limit: more is refused before it is read.

        Raises:
            ObjectTooLarge: there is more.
            KuboRefused, StoreUnavailable: as `ask`.
        """

        def once() -> bytes:
            with self._open(call, params, None) as answer:
                return _read(name, answer, limit)

        return self._retried(call, once)

    @contextlib.contextmanager
    def stream(self, call: str, params: Params) -> Iterator[Iterator[bytes]]:
        """Gives the pieces of a long answer; asks once.

        Raises:
            KuboRefused, StoreUnavailable: as `ask`.
        """
        try:
            with self._open(call, params, None) as answer:
                yield answer.iter_raw()
        except (_Gone, httpx.HTTPError) as exc:
            raise self._unavailable(call, exc) from exc

    @contextlib.contextmanager
    def _open(
        self,
        call: str,
        params: Params,
        upload: Callable[[], Iterable[bytes]] | None,
    ) -> Iterator[httpx.Response]:
        headers = {}
        content: Iterable[bytes] | bytes = b""
        if upload is not None:
            # Drawn anew: nobody can make a block that ends the form early.
            boundary = secrets.token_hex(16)
            headers["content-type"] = f"multipart/form-data; boundary={boundary}"
            content = _form(boundary, upload())
        try:
            with self._http.stream(
                "POST", call, params=list(params), headers=headers, content=content
            ) as answer:
                _check_status(call, answer)
                yield answer
        except httpx.HTTPError as exc:
            raise _Gone(str(exc) or type(exc).__name__) from exc

    def _retried(self, call: str, once: Callable[[], _T]) -> _T:
        pause_s = self._patience.backoff_s
        for left in reversed(range(self._patience.attempts)):
            try:
                return once()
            except _Gone as exc:
                if not left:
                    raise self._unavailable(call, exc) from exc
            self._sleep(pause_s)
            pause_s *= 2
        raise AssertionError("attempts are at least one")

    def _unavailable(self, call: str, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"Kubo at {self.url} does not answer {call}: {error}")


def _form(boundary: str, parts: Iterable[bytes]) -> Iterator[bytes]:
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
        'filename="block"\r\nContent-Type: application/octet-stream\r\n\r\n'
    ).encode()
    yield from parts
    yield f"\r\n--{boundary}--\r\n".encode()


def _read(name: str, answer: httpx.Response, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_raw():
        size += len(part)
        if size > limit:
            raise ObjectTooLarge(name, size, limit)
        parts.append(part)
    return b"".join(parts)


def _check_status(call: str, answer: httpx.Response) -> None:
    if answer.is_success:
        return
    text = _read(call, answer, _ANSWER_LIMIT).decode("utf-8", "replace")
    try:
        message = str(json.loads(text)["Message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        # A proxy in between, or no Kubo at all.
        reason = f"status {answer.status_code} instead of Kubo's answer to {call}"
        if answer.is_server_error:
            raise _Gone(reason) from None
        raise StoreUnavailable(reason) from None
    check_message(message)
    raise KuboRefused(message[:_MESSAGE_LIMIT])


def check_message(message: str) -> None:
    """Tells a full disk from other refusals.

    Raises:
        StoreFull: Kubo has no room.
    """
    if any(words in message for words in _FULL):
        raise StoreFull(f"no room at Kubo: {message[:_MESSAGE_LIMIT]}")


def _objects(call: str, body: bytes) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            one = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise _Gone(f"the answer to {call} is not JSON") from exc
        if not isinstance(one, dict):
            raise _Gone(f"the answer to {call} is not Kubo's")
        found.append(one)
    return found
