"""The application: settings in, pages out."""

from collections.abc import Callable

from flask import Flask, Response, request
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from flair_client.context import wall_clock
from flair_client.store.base import Store, open_store
from flair_indexer.db import Database, open_database
from flair_web import assets, converters, filters
from flair_web.faults import answer_faults
from flair_web.features import FEATURES
from flair_web.fresh import keep_fresh
from flair_web.headers import add_headers
from flair_web.kept import KeptStore
from flair_web.limits import limit_rate
from flair_web.metrics import measure
from flair_web.settings import WebSettings
from flair_web.site import Site, keep_site

_MAX_REQUEST = 1 << 20


def create_app(
    settings: WebSettings,
    *,
    database: Database | None = None,
    store: Store | None = None,
    now: Callable[[], int] = wall_clock,
) -> Flask:
    """Makes the application; nothing is read or asked yet.

    Args:
        settings: from the environment or the command.
        database: in the place of the one that the settings name.
        store: likewise.
        now: seconds since 1970.
    """
    app = Flask("flair_web", static_folder="static")
    app.config.update(
        SECRET_KEY=settings.secret,
        MAX_CONTENT_LENGTH=_MAX_REQUEST,
        SESSION_COOKIE_NAME="__Host-flair" if settings.is_secure else "flair",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=settings.is_secure,
        SESSION_COOKIE_SAMESITE="Strict",
    )
    made = Site(
        settings,
        database or open_database(settings.database_url),
        KeptStore(open_store(settings.store_url) if store is None else store),
        now,
    )
    keep_site(app.extensions, made)
    filters.register(app)
    converters.register(app)
    assets.register(app)
    app.jinja_env.globals["network"] = settings.network
    # What is done to an answer is done in the other direction: pages are kept as they
    # are made, then get headers, are counted, and are made small at last.
    _compress(app)
    measure(app, made)
    limit_rate(app, settings.rate)
    add_headers(app)
    keep_fresh(app, settings.keep_s)
    for feature in FEATURES:
        app.register_blueprint(feature)
    answer_faults(app)
    if settings.proxies:
        n = settings.proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=n, x_proto=n, x_host=n
        )
    return app


def _compress(app: Flask) -> None:
    app.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_ALGORITHM_STREAMING=["br"],
        COMPRESS_LEVEL=4,
    )
    Compress(app)

    @app.after_request
    def _read_whole(response: Response) -> Response:
        # Runs before what compresses, which would leave the file of a stream open.
        if request.endpoint == "static":
            response.direct_passthrough = False
            response.make_sequence()
        return response
