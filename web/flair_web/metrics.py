"""What Prometheus may know: how often, how long, how far behind; nothing of readers."""

import time
from typing import Final

from flask import Flask, Response, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from flair_client.errors import FlairError
from flair_indexer import queries
from flair_web.site import Site

_BUCKETS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def measure(app: Flask, made: Site) -> None:
    """Counts requests, and answers `/metrics`."""
    registry = CollectorRegistry()
    count = Counter(
        "flair_web_requests",
        "Requests answered",
        ("page", "status"),
        registry=registry,
    )
    duration = Histogram(
        "flair_web_request_seconds",
        "Until the answer began",
        ("page",),
        buckets=_BUCKETS,
        registry=registry,
    )
    behind = Gauge(
        "flair_web_mirror_behind_seconds",
        "Since the indexer last compared with the accounts; -1 before it did",
        registry=registry,
    )

    @app.before_request
    def _begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        # Endpoints are ours, so that no stranger makes up a page's name.
        page = request.endpoint or "none"
        count.labels(page, str(response.status_code)).inc()
        if "begun" in g:
            duration.labels(page).observe(time.perf_counter() - g.begun)
        return response

    @app.get("/metrics", endpoint="metrics")
    def _metrics() -> Response:
        behind.set(_behind_s(made))
        return Response(
            generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4
        )


def _behind_s(made: Site) -> int:
    try:
        fresh = queries.freshness(made.database)
    except FlairError:
        return -1
    if fresh is None or fresh.reconciled_at is None:
        return -1
    return max(made.now() - fresh.reconciled_at, 0)
