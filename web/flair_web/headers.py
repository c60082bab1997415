"""Headers of every answer: what a page may do, and for how long it may be kept."""

from typing import Final

from flask import Flask, Response, request

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# Pages that are small enough to be digested once more; downloads bring their own tag.
_MAX_TAGGED: Final = 4 << 20


def add_headers(app: Flask) -> None:
    """Has every answer carry them; what a view has set itself stays."""

    @app.after_request
    def _add(response: Response) -> Response:
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        if request.method in ("GET", "HEAD") and response.status_code == 200:
            if "Cache-Control" not in response.headers:
                # A page that does not change is asked for again, and not sent again.
                response.headers["Cache-Control"] = "no-cache"
            _tag(response)
        return response


def _tag(response: Response) -> None:
    if response.is_streamed or response.direct_passthrough:
        return
    size = response.calculate_content_length()
    if size is None or size > _MAX_TAGGED:
        return
    if response.get_etag()[0] is None:
        # Weak, since what compresses the answer changes its bytes.
        response.add_etag(weak=True)
    response.make_conditional(request)
