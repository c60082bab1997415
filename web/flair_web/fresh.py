"""A page that was made a moment ago is given again: many readers, one look.

Only pages that are the same for everybody: whoever sends a cookie gets one of their
own. What is given again is at most as old as the settings say, a second.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from flask import Flask, Response, request

_MAX_PAGES: Final = 512
_MAX_SIZE: Final = 1 << 20
_SIGNED_IN: Final = frozenset(("signing", "session"))


@dataclass(frozen=True, slots=True)
class _Page:
    made_at: float
    body: bytes
    headers: tuple[tuple[str, str], ...]


def keep_fresh(app: Flask, keep_s: float) -> None:
    """Has the application give pages again.

    Args:
        app: the site.
        keep_s: how old a page may be; 0 makes each anew.
    """
    if keep_s <= 0:
        return
    pages: OrderedDict[str, _Page] = OrderedDict()
    lock = threading.Lock()

    @app.before_request
    def _again() -> Response | None:
        if not _is_shared():
            return None
        with lock:
            found = pages.get(request.full_path)
        if found is None or time.monotonic() - found.made_at > keep_s:
            return None
        response = Response(found.body, headers=list(found.headers))
        response.headers["X-Flair-Age"] = "kept"
        return response

    @app.after_request
    def _keep(response: Response) -> Response:
        if not _is_keepable(response):
            return response
        page = _Page(
            time.monotonic(), response.get_data(), tuple(response.headers.items())
        )
        with lock:
            pages[request.full_path] = page
            pages.move_to_end(request.full_path)
            while len(pages) > _MAX_PAGES:
                pages.popitem(last=False)
        return response


def _is_shared() -> bool:
    return (
        request.method == "GET"
        and not request.cookies
        and len(request.full_path) < 500
        and request.endpoint is not None
        and request.blueprint is not None
        and request.blueprint not in _SIGNED_IN
    )


def _is_keepable(response: Response) -> bool:
    return (
        response.status_code == 200
        and _is_shared()
        and "X-Flair-Age" not in response.headers
        and not response.is_streamed
        and not response.direct_passthrough
        and "Set-Cookie" not in response.headers
        and (response.calculate_content_length() or _MAX_SIZE) < _MAX_SIZE
    )
