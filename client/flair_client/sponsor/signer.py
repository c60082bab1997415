"""Asks a sponsor for its signature.

The sponsor sees a transaction that everybody else has signed already, so it can pay for
it or not, and change nothing. It is sent from here.
"""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import base58
import httpx

from flair_client.errors import (
    SponsorForesees,
    SponsorRefused,
    SponsorUnavailable,
    UsageError,
)
from flair_client.ids import Address

SIGN_PATH: Final = "/sign"
# Code of a refusal because it would fail on chain.
FORESEEN: Final = "fails"
SIGNATURE_SIZE: Final = 64
_ANSWER_LIMIT: Final = 4096
_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.5
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class SponsorSigner:
    """Signs for the address of a sponsor, by asking it.

    Attributes:
        url: of the service.
        address: the repository's sponsor, as the chain says.
        timeout_s: for each part of an attempt, and for the whole of its answer.
    """

    url: str
    address: Address
    timeout_s: float = 30.0
    http: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    def sign(self, message: bytes) -> bytes:
        """Never signs a bare message.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"a sponsor signs transactions, not {len(message)} bytes")

    def cosign(self, wire: bytes) -> bytes:
        """Gives the sponsor's signature of a transaction that lacks it alone.

        Raises:
            SponsorRefused: in the sponsor's words.
            SponsorUnavailable: it does not answer, or not as a sponsor does.
            UsageError: its URL names no host that there can be.
        """
        question = {"transaction": base64.b64encode(wire).decode("ascii")}
        try:
            target = httpx.URL(self.url.rstrip("/") + SIGN_PATH)
        except httpx.InvalidURL as exc:
            raise UsageError(f"the sponsor's URL {self.url}: {exc}") from exc
        with httpx.Client(
            transport=self.http,
            timeout=self.timeout_s,
            verify=target.scheme == "https",
            trust_env=target.host not in _LOOPBACK,
            headers={"accept-encoding": "identity"},
        ) as client:
            status, answer = self._ask(client, target, question)
        if status == httpx.codes.OK and isinstance(answer.get("signature"), str):
            return _signature(self.url, answer["signature"])
        error = answer.get("error")
        if isinstance(error, dict) and isinstance(error.get("message"), str):
            said = _printable(error["message"])
            if status < httpx.codes.INTERNAL_SERVER_ERROR:
                code = _printable(str(error.get("code", "")), 40)
                kind = SponsorForesees if code == FORESEEN else SponsorRefused
                raise kind(code, f"the sponsor does not sign: {said}")
            raise SponsorUnavailable(f"the sponsor at {self.url} says: {said}")
        raise SponsorUnavailable(f"{self.url} answers with status {status}")

    def _ask(
        self, client: httpx.Client, target: httpx.URL, question: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        # Asked again, it gives the same signature and counts it once.
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with client.stream("POST", target, json=question) as answer:
                    return answer.status_code, self._body(answer)
            except httpx.HTTPError as exc:
                if attempt == _ATTEMPTS:
                    raise SponsorUnavailable(
                        f"the sponsor at {self.url} cannot be reached: {exc}"
                    ) from exc
            self.sleep(_PAUSE_S * attempt)
        raise SponsorUnavailable(f"the sponsor at {self.url} cannot be reached")

    def _body(self, answer: httpx.Response) -> dict[str, Any]:
        # A part now and then would keep a contributor waiting for ever.
        ends = self.now() + self.timeout_s
        body = b""
        for part in answer.iter_raw():
            body += part
            if len(body) > _ANSWER_LIMIT:
                raise SponsorUnavailable(
                    f"{self.url} answers with more than a sponsor does"
                )
            if self.now() > ends:
                raise httpx.ReadTimeout("its answer does not end")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        return found if isinstance(found, dict) else {}


def _signature(url: str, text: str) -> bytes:
    try:
        signature = base58.b58decode(text) if len(text) < 2 * SIGNATURE_SIZE else b""
    except ValueError:
        signature = b""
    if len(signature) != SIGNATURE_SIZE:
        raise SponsorUnavailable(f"{url} gave something else than a signature")
    return signature


def _printable(text: str, limit: int = 300) -> str:
    return "".join(one for one in text[:limit] if one.isprintable())
