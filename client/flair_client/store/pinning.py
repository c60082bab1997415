"""Pinning services: houses that keep blocks on the IPFS network, asked over one API.

https://ipfs.github.io/pinning-services-api-spec/ 1.0.0. The token is sent to the
service's own host alone: redirections are not followed.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx

from flair_client.errors import (
    IdentifierInvalid,
    PinRefused,
    StoreUnavailable,
    UsageError,
)
from flair_client.ids import Cid

MAX_NAME: Final = 255
MAX_ADDRESSES: Final = 20
_MAX_ID: Final = 256
_MAX_ADDRESS: Final = 512
_PAGE: Final = 1000
_ANSWER_LIMIT: Final = 8 << 20
_MAX_PAGES: Final = 1000
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_AGAIN: Final = (408, 429, 500, 502, 503, 504)
_LONGEST_PAUSE_S: Final = 300.0
_T = TypeVar("_T")


class PinState(StrEnum):
    """How far a pin is."""

    QUEUED = "queued"
    PINNING = "pinning"
    PINNED = "pinned"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether it changes no more by itself."""
        return self in (PinState.PINNED, PinState.FAILED)


@dataclass(frozen=True, slots=True)
class Pin:
    """What a service says about one pin.

    Attributes:
        request_id: by which the service knows it.
        created: its time, as the service writes it.
        cid: as written; others' pins may be of any kind.
        delegates: addresses of nodes that fetch it.
        details: the service's own words, where it failed or waits.
    """

    request_id: str
    state: PinState
    created: str
    cid: str
    name: str
    delegates: tuple[str, ...]
    details: str = ""


@dataclass(frozen=True, slots=True)
class PinPatience:
    """How long and how often a service is asked.

    Attributes:
        timeout_s: between two pieces of an answer.
        attempts: of one question; pauses are the service's `Retry-After` or double.
        backoff_s: the first pause.
        poll_s: first pause between two looks at a pin; grows by half, up to `most_s`.
        most_s: no pause is longer.
    """

    timeout_s: float = 30.0
    attempts: int = 6
    backoff_s: float = 1.0
    poll_s: float = 2.0
    most_s: float = 60.0


_DEFAULT_PATIENCE: Final = PinPatience()


class PinService:
    """One pinning service."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        patience: PinPatience = _DEFAULT_PATIENCE,
        http: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Opens nothing yet.

        Args:
            url: its endpoint, without `/pins`.
            token: lets in whoever has it.
            patience: how long it waits.
            http: instead of the network.
            sleep: pauses.
            now: seconds since 1970, for dates in `Retry-After`.

        Raises:
            UsageError: the URL is none, or would send the token in the clear.
        """
        self.url = check_service_url(url)
        self._patience = patience
        self._sleep = sleep
        self._now = now
        parsed = httpx.URL(self.url)
        self._http = httpx.Client(
            transport=http,
            timeout=patience.timeout_s,
            verify=parsed.scheme == "https",
            trust_env=parsed.host not in _LOOPBACK,
            follow_redirects=False,
            headers={
                "authorization": f"Bearer {token}",
                "accept": "application/json",
                "accept-encoding": "identity",
            },
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def add(self, cid: Cid, name: str, origins: Sequence[str] = ()) -> Pin:
        """Asks for a pin; gives the one that is there already, unless it failed.

        Args:
            cid: with everything behind it.
            name: for people.
            origins: addresses of nodes that have it.

        Raises:
            PinRefused, StoreUnavailable: as the service answers.
        """
        body = _asked(cid, name, origins)

        def once() -> Pin:
            # A question that was cut off may have been heard: it is not asked twice.
            known = [one for one in self.pins(cid) if one.state is not PinState.FAILED]
            if known:
                return known[0]
            return self._pin(self._once("POST", "/pins", json=body))

        return self._retried(once)

    def replace(
        self, request_id: str, cid: Cid, name: str, origins: Sequence[str] = ()
    ) -> Pin:
        """Puts a pin in another one's place: what both hold stays all the time.

        Raises:
            As `add`.
        """
        body = _asked(cid, name, origins)
        return self._pin(self._ask("POST", _path(request_id), json=body))

    def look(self, request_id: str) -> Pin:
        """Tells how far a pin is.

        Raises:
            As `add`.
        """
        return self._pin(self._ask("GET", _path(request_id)))

    def remove(self, request_id: str) -> None:
        """Gives a pin up; one that is gone already is fine.

        Raises:
            As `add`.
        """
        try:
            self._ask("DELETE", _path(request_id))
        except PinRefused as exc:
            if exc.status != httpx.codes.NOT_FOUND:
                raise

    def pins(self, cid: Cid | None = None) -> Iterator[Pin]:
        """Gives pins of any state, the newest first.

        Args:
            cid: of this one alone.

        Raises:
            As `add`.
        """
        params = {"status": ",".join(PinState), "limit": str(_PAGE)}
        if cid is not None:
            params["cid"] = str(cid)
        seen: set[str] = set()
        for _ in range(_MAX_PAGES):
            answer = self._ask("GET", "/pins", params=params)
            results, count = answer.get("results"), answer.get("count")
            if not isinstance(results, list) or type(count) is not int:
                raise self._odd("a list of pins without results or count")
            page = [self._pin(one) for one in results]
            new = [one for one in page if one.request_id not in seen]
            yield from new
            seen |= {one.request_id for one in new}
            # `count` is of all that match, those before this page included.
            if not new or count <= len(page):
                return
            params["before"] = page[-1].created

    def follow(
        self,
        pin: Pin,
        *,
        most_s: float,
        heard: Callable[[Pin], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Pin:
        """Looks at a pin again and again until it is pinned or has failed.

        Args:
            pin: as it was given.
            most_s: no longer than this.
            heard: of each change.
            clock: seconds of any origin.

        Returns:
            As it is at the end; not final where the time was over.

        Raises:
            As `add`.
        """
        ends = clock() + most_s
        pause_s = self._patience.poll_s
        while not pin.state.is_final and clock() < ends:
            self._sleep(max(0.0, min(pause_s, ends - clock())))
            pause_s = min(pause_s * 1.5, self._patience.most_s)
            found = self.look(pin.request_id)
            if (found.state, found.details) != (pin.state, pin.details):
                heard(found)
            pin = found
        return pin

    def _ask(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        return self._retried(lambda: self._once(method, path, **how))

    def _retried(self, once: Callable[[], _T]) -> _T:
        pause_s = self._patience.backoff_s
        for _ in range(self._patience.attempts - 1):
            try:
                return once()
            except _Later as exc:
                wait_s = pause_s if exc.after_s is None else exc.after_s
                self._sleep(min(wait_s, _LONGEST_PAUSE_S))
                pause_s *= 2
        return once()

    def _once(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        try:
            with self._http.stream(method, f"{self.url}{path}", **how) as answer:
                body = self._body(answer)
        except httpx.HTTPError as exc:
            reason = str(exc) or type(exc).__name__
            raise _Later(f"{self.url} does not answer: {reason}") from exc
        if answer.is_success:
            return body
        said = _words(body)
        if answer.status_code in _AGAIN:
            after = _retry_after(answer.headers.get("retry-after"), self._now())
            raise _Later(
                f"{self.url} answers with status {answer.status_code}: {said}", after
            )
        raise PinRefused(
            answer.status_code,
            f"{self.url} refuses ({answer.status_code}): {said}",
        )

    def _body(self, answer: httpx.Response) -> dict[str, Any]:
        body = b""
        for part in answer.iter_raw():
            body += part
            if len(body) > _ANSWER_LIMIT:
                raise self._odd("an answer without end")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        return found if isinstance(found, dict) else {}

    def _pin(self, given: Any) -> Pin:
        if not isinstance(given, dict):
            raise self._odd("a pin that is none")
        pin, request_id = given.get("pin"), given.get("requestid")
        state, created = given.get("status"), given.get("created")
        if (
            not isinstance(pin, dict)
            or not isinstance(pin.get("cid"), str)
            or not isinstance(request_id, str)
            or not isinstance(created, str)
            or state not in list(PinState)
        ):
            raise self._odd("a pin without cid, requestid, created or status")
        info = given.get("info")
        details = info.get("status_details") if isinstance(info, dict) else None
        return Pin(
            request_id=check_request_id(request_id),
            state=PinState(state),
            created=_printable(created, 64),
            cid=_printable(pin["cid"], 128),
            name=_printable(str(pin.get("name") or ""), MAX_NAME),
            delegates=_addresses(given.get("delegates")),
            details=_printable(str(details or "")),
        )

    def _odd(self, what: str) -> StoreUnavailable:
        return StoreUnavailable(f"{self.url} gives {what}: no pinning service")


class _Later(StoreUnavailable):
    """Asking again may help; `after_s` where the service says when."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


def check_service_url(url: str) -> str:
    """The URL of a service without a slash at its end.

    Raises:
        UsageError: it is not `https://…`, or plain HTTP to another machine.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise UsageError(f"{url!r} is not the URL of a pinning service") from exc
    is_plain = not (parsed.query or parsed.fragment or parsed.userinfo)
    if parsed.scheme not in ("http", "https") or not parsed.host or not is_plain:
        raise UsageError(f"{url!r} is not the URL of a pinning service: https://HOST")
    if parsed.scheme == "http" and parsed.host not in _LOOPBACK:
        raise UsageError(f"{url} would get the token in the clear: https is needed")
    return url.rstrip("/")


def check_request_id(text: str) -> str:
    """Gives a request's name back, which a service may choose freely.

    Raises:
        IdentifierInvalid: it cannot stand in a path.
    """
    is_shown = text.isprintable() and 0 < len(text) <= _MAX_ID
    if not is_shown or not text.strip("."):
        raise IdentifierInvalid("request id", text[:80], "no printable name")
    return text


def _path(request_id: str) -> str:
    return f"/pins/{quote(check_request_id(request_id), safe='')}"


def _asked(cid: Cid, name: str, origins: Sequence[str]) -> Mapping[str, Any]:
    asked: dict[str, Any] = {"cid": str(cid), "name": name[:MAX_NAME]}
    if origins:
        asked["origins"] = list(origins[:MAX_ADDRESSES])
    return asked


def _addresses(given: Any) -> tuple[str, ...]:
    """Multiaddresses that a service names; anything else is left out."""
    if not isinstance(given, list):
        return ()
    return tuple(
        one
        for one in given[:MAX_ADDRESSES]
        if isinstance(one, str)
        and one.startswith("/")
        and one.isascii()
        and one.isprintable()
        and len(one) <= _MAX_ADDRESS
    )


def _words(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    if not isinstance(error, dict):
        return "no reason"
    reason, details = error.get("reason"), error.get("details")
    found = f"{reason}: {details}" if details else f"{reason}"
    return _printable(found)


def _retry_after(text: str | None, now: float) -> float | None:
    """Seconds to wait by RFC 9110: a number, or a date."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:6])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _printable(text: str, limit: int = 300) -> str:
    return "".join(one for one in text[:limit] if one.isprintable())
