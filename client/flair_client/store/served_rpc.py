"""What a store server is asked over HTTP, and what its answers mean."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from flair_client.errors import (
    IdentifierInvalid,
    StoreFull,
    StoreUnavailable,
    UploadRefused,
)
from flair_client.ids import Cid

_ANSWER_LIMIT: Final = 256 << 10
_OFFSET: Final = "upload-offset"
# Codes of refusals after which the server is asked how far it is.
_ELSEWHERE: Final = ("offset", "busy", "silence")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServedPatience:
    """How long and how often a server is asked.

    Attributes:
        timeout_s: between two pieces of an answer, and for a piece of a question.
        attempts: at most this many without any progress.
        backoff_s: pause after the first failure; doubles each time.
    """

    timeout_s: float = 60.0
    attempts: int = 5
    backoff_s: float = 0.5


@dataclass(frozen=True, slots=True)
class UploadAt:
    """An upload and how far the server says it is.

    Attributes:
        id: in paths.
        offset, size: bytes.
        is_done: whether its blocks are in the store.
    """

    id: str
    offset: int
    size: int
    is_done: bool


class ServedRpc:
    """Asks one server; safe to use from several threads."""

    def __init__(
        self,
        url: str,
        http: httpx.Client,
        patience: ServedPatience,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._http = http
        self._patience = patience
        self._sleep = sleep

    def missing(self, cids: Sequence[Cid]) -> list[Cid]:
        """Gives those of some blocks that the server has not.

        Raises:
            StoreUnavailable: no usable answer.
        """
        question = {"cids": [str(cid) for cid in cids]}
        answer = self.retried(lambda: self._ask("POST", "/missing", json=question))
        found = answer.get("missing")
        try:
            missing = [Cid.parse(str(text)) for text in found or ()]
        except (IdentifierInvalid, TypeError) as exc:
            raise self._odd() from exc
        if not isinstance(found, list) or not set(missing) <= set(cids):
            raise self._odd()
        return missing

    def begin(self, signed: Callable[[], dict[str, Any]]) -> UploadAt:
        """Begins an upload.

        Args:
            signed: makes text and signature, anew for each attempt: the server takes
                each of them once.

        Raises:
            UploadRefused, StoreFull, StoreUnavailable: as it answers.
        """
        return self.retried(
            lambda: self._at(self._ask("POST", "/uploads", json=signed()))
        )

    def append(self, at: UploadAt, piece: Callable[[], bytes]) -> UploadAt:
        """Sends the next piece; gives how far the upload is now.

        Where the connection broke, the server is asked how much has come.

        Raises:
            As `begin`.
        """

        def once() -> UploadAt:
            headers = {_OFFSET: str(at.offset)}
            try:
                path = f"/uploads/{at.id}"
                answer = self._ask("PATCH", path, content=piece(), headers=headers)
            except (UploadRefused, StoreUnavailable) as exc:
                if isinstance(exc, UploadRefused) and exc.code not in _ELSEWHERE:
                    raise
                found = self._where(at)
                if found.offset == at.offset and not found.is_done:
                    raise StoreUnavailable(str(exc)) from exc
                return found
            return self._at(answer)

        return self.retried(once)

    def finish(self, at: UploadAt) -> UploadAt:
        """Has the server put an upload's blocks into its store.

        Raises:
            As `begin`.
        """

        def once() -> UploadAt:
            try:
                return self._at(self._ask("POST", f"/uploads/{at.id}/finish"))
            except UploadRefused as exc:
                if exc.code != "busy":
                    raise
                # An earlier question of ours is still being worked on.
                raise StoreUnavailable(str(exc)) from exc

        return self.retried(once)

    def retried(self, once: Callable[[], _T]) -> _T:
        """Asks again after pauses while the server does not answer.

        Raises:
            StoreUnavailable: not even the last time.
        """
        pause_s = self._patience.backoff_s
        for _ in range(self._patience.attempts - 1):
            try:
                return once()
            except StoreUnavailable:
                self._sleep(pause_s)
                pause_s *= 2
        return once()

    def _where(self, at: UploadAt) -> UploadAt:
        return self._at(self._ask("GET", f"/uploads/{at.id}"))

    def _ask(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        try:
            with self._http.stream(method, f"{self._url}{path}", **how) as answer:
                status, body = answer.status_code, self._body(answer)
        except httpx.HTTPError as exc:
            reason = str(exc) or type(exc).__name__
            raise StoreUnavailable(
                f"store {self._url} does not answer: {reason}"
            ) from exc
        if status < httpx.codes.MULTIPLE_CHOICES:
            return body
        error = body.get("error")
        said = error if isinstance(error, dict) else {}
        code = _printable(str(said.get("code", "")), 40)
        message = _printable(str(said.get("message", "")))
        if status == httpx.codes.INSUFFICIENT_STORAGE:
            raise StoreFull(f"no room at {self._url}")
        if not code or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise StoreUnavailable(
                f"store {self._url} answers with status {status}: {message}"
            )
        raise UploadRefused(code, f"{self._url} does not take this: {message}")

    def _body(self, answer: httpx.Response) -> dict[str, Any]:
        body = b""
        for part in answer.iter_raw():
            body += part
            if len(body) > _ANSWER_LIMIT:
                raise self._odd()
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        return found if isinstance(found, dict) else {}

    def _at(self, answer: dict[str, Any]) -> UploadAt:
        upload, offset = answer.get("upload"), answer.get("offset")
        size, is_done = answer.get("size"), answer.get("done")
        if (
            not isinstance(upload, str)
            or not (upload.isascii() and upload.isalnum() and len(upload) <= 64)
            or type(offset) is not int
            or type(size) is not int
            or not 0 <= offset <= size
            or not isinstance(is_done, bool)
        ):
            raise self._odd()
        return UploadAt(upload, offset, size, is_done)

    def _odd(self) -> StoreUnavailable:
        return StoreUnavailable(f"{self._url} answers like no store server")


def _printable(text: str, limit: int = 300) -> str:
    return "".join(one for one in text[:limit] if one.isprintable())
