"""Every page of the site: axe finds nothing on it, and a phone shows it whole."""

import sys
import threading
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

sys.path[:0] = [
    str(Path(__file__).parents[1] / "web"),
    str(Path(__file__).parents[1] / "indexer"),
]
# What is no page: files, JSON, a feed, and what signing asks for.
NO_PAGES = ("static", "api.", "download.", "feed.", "session.", "metrics")
NOT_PAGES = {"health.alive", "signing.progress"}


def fill(world):
    """A repository with a merged round, an open one, people and a candidate."""
    from flair_client.objects import CommitKind

    model = world.model()
    model.commit(CommitKind.ROOT, message="the first model", metrics={"auc": 0.5})
    updates = [
        model.push(n, state="merged", metrics={"auc": 0.5 + n / 10}) for n in (2, 3)
    ]
    merge = model.commit(
        CommitKind.MERGE,
        value=2.0,
        parents=(model.head, *sorted(updates)),
        round_index=1,
        message="merge round 1",
        metrics={"auc": 0.75},
    )
    model.open_round(1, state="merged", merge_commit=merge.raw, ended_at=1_799_999_999)
    model.open_round(2, base_commit=merge.raw)
    model.push(2, index=2)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    from page_world import PageWorld

    world = PageWorld(tmp_path_factory.mktemp("pages"))
    fill(world)
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield world.app, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    world.app.extensions["flair"].chain.close()
    world.close()


def endpoint(app, path):
    """What answers a path, or None where it is no page."""
    try:
        name, _ = app.url_map.bind("").match(path)
    except HTTPException:
        return None
    return None if name in NOT_PAGES or name.startswith(NO_PAGES) else name


def crawl(app, page, url):
    """Goes along the links; gives one path for each kind of page."""
    found, waiting = {}, ["/", "/search?q=heart"]
    while waiting:
        path = waiting.pop()
        name = endpoint(app, urlsplit(path).path)
        if name is None or name in found:
            continue
        found[name] = path
        page.goto(url + path)
        links = page.evaluate("[...document.links].map(one => one.href)")
        waiting += [
            urldefrag(link).url.removeprefix(url)
            for link in links
            if link.startswith(url)
        ]
    return found


def test_axe_finds_nothing_on_any_page_and_a_phone_shows_it_whole(site, browser):
    app, url = site
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    pages = crawl(app, page, url)
    axe, faults = Axe(), {}

    for name, path in pages.items():
        # What is dark is the same markup: two pages have all its colours.
        dark = name in ("commit.index", "rounds.one")
        for scheme in ("light", "dark") if dark else ("light",):
            page.emulate_media(color_scheme=scheme)
            page.goto(url + path)
            violations = axe.run(page).response["violations"]
            told = {
                one["id"]: [node["target"] for node in one["nodes"][:3]]
                for one in violations
            }
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if told or wide > 0:
                faults[name, scheme] = (path, told, wide)
    context.close()

    wanted = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in rule.methods
        and rule.endpoint not in NOT_PAGES
        and not rule.endpoint.startswith(NO_PAGES)
    }
    assert faults == {}
    assert set(pages) == wanted
