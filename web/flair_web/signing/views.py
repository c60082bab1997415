"""Pages and answers of the actions."""

import base64
from typing import Any, Final

from flask import Blueprint, Response, abort, current_app, jsonify, render_template
from flask import request as asked

from flair_client.chain.unsigned import describe
from flair_client.errors import (
    FlairError,
    Refused,
    RpcTimeout,
    RpcUnavailable,
    StoreUnavailable,
)
from flair_web.session import guard
from flair_web.session.sessions import Session
from flair_web.session.views import chain_name
from flair_web.signing.action import FIELD_LIMIT, Action, Form, refusal_name
from flair_web.signing.desk import CommitOffer, Desk, Expired, Offer
from flair_web.signing.pending import PendingPlan
from flair_web.signing.registry import ACTIONS
from flair_web.site import site

SIGNING: Final = Blueprint(
    "signing", __name__, url_prefix="/actions", template_folder="templates"
)
_AWAY: Final = (RpcUnavailable, RpcTimeout, StoreUnavailable)
_MAX_WIRE: Final = 4_000


class NotSignedIn(FlairError):
    """An action was asked for by nobody in particular."""


def desk() -> Desk:
    """Gives the application's desk."""
    found = current_app.extensions.get("flair-desk")
    if not isinstance(found, Desk):
        found = Desk(site())
        current_app.extensions["flair-desk"] = found
    return found


@SIGNING.get("/")
def index() -> str:
    """Every action, with what it needs."""
    return render_template("signing/index.html", all=ACTIONS.values())


@SIGNING.get("/<name>")
def page(name: str) -> str:
    """An action's page: what it does and needs, and its form."""
    action = _action(name)
    given = {
        one.name: asked.args.get(one.name, one.default)[:FIELD_LIMIT]
        for one in action.fields
    }
    return render_template("signing/action.html", action=action, given=given)


@SIGNING.post("/<name>/plan")
def plan(name: str) -> Response | tuple[Response, int]:
    """Plans an action for the wallet that is signed in."""
    action, found = _action(name), _signed_in()
    if found.wallet is None:
        raise NotSignedIn("sign in with your wallet first")
    fields = _body().get("fields")
    try:
        form = _form(action, fields)
        made = desk().plan(found.name, found.wallet, action, form)
    except FlairError as exc:
        return _refused(exc, action)
    return _shown(made)


@SIGNING.post("/plans/<name>/commit")
def commit(name: str) -> Response | tuple[Response, int]:
    """Takes the signature of a plan's commit."""
    pending = _pending(name)
    try:
        return _shown(desk().take_commit(pending, _bytes("signature")))
    except FlairError as exc:
        return _refused(exc, pending.action)


@SIGNING.post("/plans/<name>/refresh")
def refresh(name: str) -> Response:
    """Gives the plan's message with a new blockhash."""
    pending = _pending(name)
    blocks_left = desk().refresh(pending)
    return jsonify({"message": _text(pending.message), "blocks_left": blocks_left})


@SIGNING.post("/plans/<name>/send")
def send(name: str) -> Response | tuple[Response, int]:
    """Sends what the wallet signed."""
    pending = _pending(name)
    try:
        signature = desk().send(pending, _bytes("transaction"))
    except FlairError as exc:
        return _refused(exc, pending.action)
    return jsonify({"signature": signature})


@SIGNING.get("/plans/<name>/progress")
def progress(name: str) -> Response:
    """Says how far the transaction is."""
    found = desk().progress(_pending(name))
    return jsonify(
        {"state": found.state, "error": found.error, "expired": found.expired}
    )


@SIGNING.after_request
def _not_kept(response: Response) -> Response:
    if response.mimetype == "application/json":
        response.headers["Cache-Control"] = "no-store"
    return response


@SIGNING.errorhandler(FlairError)
def _failed(error: FlairError) -> tuple[Response, int]:
    return _refused(error, None)


def _refused(error: FlairError, action: Action | None) -> tuple[Response, int]:
    name = refusal_name(error)
    if isinstance(error, NotSignedIn):
        return guard.refusal(str(error), 401)
    if isinstance(error, _AWAY):
        advice = "Nothing was sent and nothing was charged. Try again soon."
        return guard.refusal("the network does not answer", 503, advice)
    if isinstance(error, Expired):
        return guard.refusal(str(error), 410)
    advice = "" if action is None else action.refusals.get(name, "")
    return guard.refusal(str(error), 422, advice)


def _shown(made: Offer | CommitOffer) -> Response:
    if isinstance(made, CommitOffer):
        return jsonify(
            {
                "plan": made.plan.name,
                "block": _text(made.block),
                "text": made.text,
                "lines": made.lines,
            }
        )
    pending = made.plan
    return jsonify(
        {
            "plan": pending.name,
            "wallet": str(pending.wallet),
            "chain": chain_name(site().settings),
            "genesis_hash": made.genesis_hash,
            "title": pending.action.title,
            "lines": made.planned.lines,
            "end_state": pending.action.end,
            "instructions": [
                {"name": one.name, "accounts": one.accounts, "args": one.args}
                for one in map(describe, pending.instructions)
            ],
            "message": _text(pending.message),
            "blocks_left": made.blocks_left,
            "fee_lamports": made.fee_lamports,
            "rent": [
                {
                    "account": one.account,
                    "address": str(one.address),
                    "lamports": one.lamports,
                    "back": one.back,
                }
                for one in made.rent
            ],
            "commit_block": None
            if made.commit_block is None
            else _text(made.commit_block),
        }
    )


def _action(name: str) -> Action:
    if name not in ACTIONS:
        abort(404, "there is no such action")
    return ACTIONS[name]


def _signed_in() -> Session:
    found = guard.current_session()
    if found is None or found.wallet is None:
        raise NotSignedIn("sign in with your wallet first")
    return found


def _pending(name: str) -> PendingPlan:
    return desk().pending.find(name, _signed_in().name)


def _form(action: Action, fields: object) -> Form:
    known = {one.name for one in action.fields}
    if not isinstance(fields, dict) or not fields.keys() <= known:
        raise Refused("the form has other fields than the action")
    for name, value in fields.items():
        if not isinstance(value, str) or len(value.encode()) > FIELD_LIMIT:
            raise Refused(f"the field {name!r} is no text, or too long")
    return Form(fields)


def _body() -> dict[str, Any]:
    found = asked.get_json(silent=True)
    if not isinstance(found, dict):
        raise Refused("the request is no JSON object")
    return found


def _bytes(name: str) -> bytes:
    text = _body().get(name)
    if not isinstance(text, str) or len(text) > _MAX_WIRE:
        raise Refused(f"{name} is not base64, or too long")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise Refused(f"{name} is not base64") from exc


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
