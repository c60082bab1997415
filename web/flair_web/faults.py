"""What goes wrong, as pages: never a trace, never a secret of the machine."""

import logging

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable

from flair_client.errors import (
    DatabaseDamaged,
    DatabaseTaken,
    DatabaseUnavailable,
    FlairError,
    IdentifierInvalid,
    StoreUnavailable,
)

_log = logging.getLogger("flair_web")
_AWAY = (DatabaseUnavailable, DatabaseTaken, DatabaseDamaged, StoreUnavailable)


def answer_faults(app: Flask) -> None:
    """Has errors answered in words: pages for people, JSON below `/api/`."""

    @app.errorhandler(HTTPException)
    def _told(error: HTTPException) -> ResponseReturnValue:
        code = error.code or 500
        if code < 400:
            return error.get_response()
        if request.path.startswith("/api/"):
            shown = {"error": {"code": code, "message": error.description}}
            return shown, code, dict(_kept_headers(error))
        page = render_template("fault.html", code=code, words=error.description)
        return page, code, dict(_kept_headers(error))

    @app.errorhandler(IdentifierInvalid)
    def _no_name(_error: IdentifierInvalid) -> ResponseReturnValue:
        from werkzeug.exceptions import NotFound

        return _told(NotFound("this is neither an address nor a name nor an id"))

    @app.errorhandler(FlairError)
    def _away(error: FlairError) -> ResponseReturnValue:
        if isinstance(error, _AWAY):
            _log.warning("not readable", extra={"error": type(error).__name__})
            words = "what this page is read from does not answer; try again soon"
            return _told(ServiceUnavailable(words))
        _log.error("unexpected", exc_info=error)
        return _told(InternalServerError("something is wrong on our side"))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> ResponseReturnValue:
        _log.error("unexpected", exc_info=error)
        return _told(InternalServerError("something is wrong on our side"))


def _kept_headers(error: HTTPException) -> list[tuple[str, str]]:
    kept = ("allow", "retry-after", "content-range")
    return [pair for pair in error.get_headers() if pair[0].lower() in kept]
