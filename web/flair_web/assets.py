"""Files of the look: their addresses name their bytes, so that they may be kept."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, request

_FOREVER = "public, max-age=31536000, immutable"


def register(app: Flask) -> None:
    """Gives templates `asset(name)`, and answers of it a long life."""
    folder = Path(app.static_folder or "")

    @cache
    def asset(name: str) -> str:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        return f"/static/{name}?v={digest[:12]}"

    app.jinja_env.globals["asset"] = asset
    # Without the script every page can still be read; it is made by a build.
    app.jinja_env.globals["has_script"] = (folder / "app.js").is_file()

    @app.after_request
    def _keep(response: Response) -> Response:
        if request.endpoint == "static" and "v" in request.args:
            response.headers["Cache-Control"] = _FOREVER
        return response
