"""No POST without the token of the session, and none from another site."""

import secrets
from typing import Final

from flask import Response, jsonify, request, session

from flair_web.session.sessions import Session, Sessions
from flair_web.site import site

TOKEN_HEADER: Final = "X-Flair-Token"  # noqa: S105 - the name of a header
_NAME: Final = "name"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")


def sessions() -> Sessions:
    """Gives the application's sessions."""
    from flask import current_app

    found = current_app.extensions.get("flair-sessions")
    if not isinstance(found, Sessions):
        found = Sessions(site().now)
        current_app.extensions["flair-sessions"] = found
    return found


def current_session() -> Session | None:
    """Gives the session that the request's cookie names, if there is one."""
    name = session.get(_NAME)
    return sessions().find(name if isinstance(name, str) else None)


def keep_in_cookie(one: Session) -> None:
    """Has the answer's cookie name a session."""
    session.clear()
    session[_NAME] = one.name


def refuse_forged() -> tuple[Response, int] | None:
    """Refuses a request that changes something and was not made by one of our pages."""
    if request.method in _SAFE:
        return None
    if request.headers.get("Origin", "") != site().settings.origin:
        return refusal("the request does not come from this site", 403)
    one = current_session()
    token = request.headers.get(TOKEN_HEADER, "")
    if one is None or not secrets.compare_digest(token.encode(), one.csrf.encode()):
        return refusal("the page is too old: load it again", 403)
    return None


def refusal(words: str, code: int, advice: str = "") -> tuple[Response, int]:
    """Gives an answer that says what is wrong, and what helps."""
    return jsonify({"error": words, "help": advice}), code
