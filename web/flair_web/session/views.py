"""Signing in and out."""

import base64
import secrets
import string
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request

from flair_client.errors import FlairError, IdentifierInvalid
from flair_client.ids import Address
from flair_web.session import guard
from flair_web.session.message import Challenge, SignInRefused, verify_sign_in
from flair_web.settings import WebSettings
from flair_web.site import site

SESSION: Final = Blueprint("session", __name__, url_prefix="/session")
_NONCE_SIZE: Final = 22
_MAX_BASE64: Final = 4_000
_NEVER_KEPT: Final = "no-store"
# Networks that wallets know, by name and by genesis hash; the page has the same hashes.
_KNOWN: Final = {
    "mainnet": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    "devnet": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
    "testnet": "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY",
}


def chain_name(settings: WebSettings) -> str:
    """Gives the site's network as wallets know it; any other one is a local one."""
    for name, genesis_hash in _KNOWN.items():
        if settings.genesis_hash == genesis_hash:
            return f"solana:{name}"
    is_known = settings.genesis_hash is None and settings.network in _KNOWN
    return f"solana:{settings.network if is_known else 'localnet'}"


@SESSION.before_app_request
def _guard() -> tuple[Response, int] | None:
    return guard.refuse_forged()


@SESSION.app_context_processor
def _chain() -> dict[str, str]:
    return {"wallet_chain": chain_name(site().settings)}


@SESSION.after_request
def _forget(response: Response) -> Response:
    response.headers["Cache-Control"] = _NEVER_KEPT
    return response


@SESSION.get("")
def show() -> Response:
    """Says who is signed in; begins a session where there is none."""
    found = guard.current_session()
    if found is None:
        found = guard.sessions().begin()
        guard.keep_in_cookie(found)
    return jsonify(
        {
            "wallet": None if found.wallet is None else str(found.wallet),
            "csrf": found.csrf,
            "chain": chain_name(site().settings),
        }
    )


@SESSION.post("/challenge")
def challenge() -> Response:
    """Gives what a sign-in has to say; with an address also as the one text."""
    own = site().settings
    letters = string.ascii_letters + string.digits
    made = Challenge(
        domain=urlsplit(own.origin).netloc,
        uri=own.origin,
        chain=chain_name(own),
        nonce="".join(secrets.choice(letters) for _ in range(_NONCE_SIZE)),
        issued_at=site().now(),
    )
    found = guard.current_session()
    if found is None:
        raise AssertionError("the guard lets nobody without a session through")
    guard.sessions().ask(found, made)
    address = _body().get("address", "")
    text = made.text(Address.parse(address)) if address else None
    return jsonify(made.fields() | {"text": text})


@SESSION.post("/sign-in")
def sign_in() -> Response | tuple[Response, int]:
    """Takes what the wallet signed; the session goes on under another name."""
    found, body = guard.current_session(), _body()
    if found is None:
        raise AssertionError("the guard lets nobody without a session through")
    asked = guard.sessions().take_challenge(found)
    if asked is None:
        words = "nothing was asked, or it was answered already"
        return guard.refusal(words, 403, "Sign in again.")
    try:
        address = Address.parse(body.get("address", ""))
        verify_sign_in(
            *(asked, address, _bytes(body, "message"), _bytes(body, "signature")),
            now=site().now(),
        )
    except (SignInRefused, IdentifierInvalid) as exc:
        return guard.refusal(str(exc), 403, "Sign in again.")
    made = guard.sessions().sign_in(found, address)
    guard.keep_in_cookie(made)
    return jsonify({"wallet": str(address), "csrf": made.csrf, "chain": asked.chain})


@SESSION.post("/sign-out")
def sign_out() -> Response:
    """Ends the session."""
    found = guard.current_session()
    if found is not None:
        guard.sessions().end(found)
    made = guard.sessions().begin()
    guard.keep_in_cookie(made)
    chain = chain_name(site().settings)
    return jsonify({"wallet": None, "csrf": made.csrf, "chain": chain})


@SESSION.errorhandler(FlairError)
def _refused(error: FlairError) -> tuple[Response, int]:
    return guard.refusal(str(error), 400)


def _body() -> dict[str, str]:
    """The request's JSON: a table of texts."""
    found = request.get_json(silent=True)
    if not isinstance(found, dict):
        raise SignInRefused("the request is no JSON object")
    if not all(isinstance(value, str) for value in found.values()):
        raise SignInRefused("the request holds something else than texts")
    return found


def _bytes(body: dict[str, str], name: str) -> bytes:
    text = body.get(name, "")
    try:
        return base64.b64decode(text[:_MAX_BASE64], validate=True)
    except ValueError as exc:
        raise SignInRefused(f"{name} is not base64") from exc
