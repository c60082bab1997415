"""Pages that only show: axe finds nothing, nothing is blocked, a phone is enough."""

import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

sys.path.append(str(Path(__file__).parents[1] / "web"))

from flair_client.objects import CommitKind
from flair_client.serving import listen, url_of
from flair_client.testing_objects import make_address
from flair_web.serving import served

CARD = """---
license: apache-2.0
---
# Heart

A [link](https://ok.example), `code`, and a table:

| column | unit |
|---|---|
| age | years |

```
flair contribute
```
"""

FOUND = {"resultTypes": ["violations"]}
# In the dark only the colours are others, on a phone only where things stand.
RULES = {
    ("light", 1200): FOUND,
    ("dark", 1200): FOUND | {"runOnly": ["color-contrast"]},
    ("light", 360): FOUND | {"runOnly": ["target-size", "scrollable-region-focusable"]},
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A site with everything on it; its address, and the paths of its pages."""
    from page_rows import NOW
    from page_world import PageWorld

    world = PageWorld(tmp_path_factory.mktemp("pages"))
    model = world.model(card=CARD)
    model.commit(CommitKind.ROOT, message="the first model", metrics={"auc": 0.5})
    updates = [model.push(n, state="merged", metrics={"auc": n / 10}) for n in (2, 3)]
    merge = model.commit(
        CommitKind.MERGE,
        value=2.0,
        parents=(model.head, *sorted(updates)),
        round_index=1,
        message="merge round 1",
        metrics={"auc": 0.75},
    )
    model.open_round(1, state="merged", merge_commit=merge.raw, ended_at=NOW - 9)
    model.open_round(2, base_commit=merge.raw)
    update = model.push(4, index=2)
    request = {"branch": bytes(32), "scope": 3, "repo": model.repo["repo"]}
    world.put(
        "join_requests",
        request
        | {
            "applicant": make_address(9).raw,
            "note_digest": bytes(32),
            "requested_at": NOW,
        },
    )
    for n, expires_at in ((7, NOW - 1), (8, 0)):
        world.put(
            "roles",
            request
            | {
                "grantee": make_address(n).raw,
                "expires_at": expires_at,
                "authority_epoch": 0,
                "granted_by": make_address(1).raw,
            },
        )
    good = model.head
    bad = model.commit(value=9.0, message="a wrong merge")
    model.verdict("invalid", good.raw, "weights are not the sum of the updates")
    world.set_all("reconciliations", state="behind")
    own = [
        *("", "/log", "/log/main", "/rounds", "/round/main/1", "/round/main/2"),
        *("/policies", "/policy/0", "/people", "/queue", "/compare"),
        *(f"/commit/{merge}", f"/commit/{update}", f"/commit/{bad}"),
        f"/compare?a={good}&b=main",
    ]
    plain = ["/", "/search?q=heart", "/search?q=nothing", "/health", "/nothing"]
    wallets = [f"/wallet/{make_address(n)}" for n in (1, 2)]
    listener = listen("127.0.0.1", 0)
    with served(world.app, listener):
        address = url_of("127.0.0.1", listener)
        yield address, [*plain, *wallets, *(model.path + one for one in own)]
    world.close()


@pytest.mark.parametrize(("scheme", "width"), RULES)
def test_pages_are_for_everybody(browser, shown, scheme, width):
    address, paths = shown
    context = browser.new_context(
        viewport={"width": width, "height": 740}, color_scheme=scheme
    )
    page = context.new_page()
    said = []
    page.on("console", lambda one: said.append(f"{page.url}: {one.text}"))
    found, wide = {}, {}

    for path in paths:
        page.goto(address + path)
        violations = (
            Axe().run(page, options=RULES[scheme, width]).response["violations"]
        )
        found[path] = {
            one["id"]: [node["target"] for node in one["nodes"]] for one in violations
        }
        wide[path] = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    context.close()

    assert {path: one for path, one in found.items() if one} == {}
    assert {path: one for path, one in wide.items() if one > 0} == {}
    assert [one for one in said if "/nothing" not in one] == []


def test_a_keyboard_reaches_what_scrolls_and_skips_what_repeats(browser, shown):
    address, paths = shown
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(address + next(one for one in paths if one.endswith("/log")))

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "region":
            break
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    page.close()


def test_a_deadline_is_counted_down_by_the_sites_clock(browser, shown):
    address, paths = shown
    context = browser.new_context()
    # A reader's clock that is years behind.
    context.clock.install(time="2001-01-01T00:00:00")
    page = context.new_page()
    page.goto(address + next(one for one in paths if one.endswith("/round/main/2")))
    left = page.locator("[data-deadline]")
    said = [left.inner_text()]
    for minutes in (30, 90):
        page.clock.run_for(minutes * 60 * 1000)
        said.append(left.inner_text())

    assert said == ["1 h left", "30 min left", "over for 1 h"]
    context.close()
