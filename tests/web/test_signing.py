"""The actions' addresses: who may ask, what is refused, and what a page shows."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wallet_site import Browser, Clock, Wallet, make_site

from flair_web.signing.pending import PendingPlan, PendingPlans
from flair_web.signing.registry import ACTIONS

ROOT = Path(__file__).parents[2]
WALLET, OTHER = Wallet(), Wallet(bytes([2]) * 32)
EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def app(tmp_path):
    made = make_site(tmp_path, Clock())
    yield made
    site = made.extensions["flair"]
    site.chain.close()
    site.database.close()


@pytest.fixture
def owner(app):
    return Browser(app).sign_in(WALLET)


def plan(browser, action, fields):
    return browser.post(f"/actions/{action}/plan", {"fields": fields})


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_has_a_page_that_keeps_what_strangers_wrote_as_text(app, name):
    action = ACTIONS[name]
    query = "&".join(f"{one.name}={EVIL}" for one in action.fields)

    page = Browser(app).get(f"/actions/{name}?{query}")

    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert "<script>alert" not in text
    assert action.end.replace("'", "&#39;") in text or action.end in text
    assert len(action.needs) > 0


def test_the_page_has_a_rule_for_every_action():
    table = (ROOT / "web/frontend/src/signing/expect.ts").read_text()
    body = table.partition("EXPECTATIONS")[2].partition("\n};")[0]

    names = re.findall(r"^  ([a-z_]+): (?:\{|vote|round)", body, re.MULTILINE)

    assert sorted(names) == sorted(ACTIONS)


def test_nobody_in_particular_plans_nothing(app):
    reader = Browser(app)
    reader.session()

    assert plan(reader, "repo_create", {"name": "lungs"}).status_code == 401


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        {"name": "lungs", "more": "1"},
        {"name": 7},
        {"name": "x" * 2001},
        {"name": "\u00e9" * 1001},
        {"name": "lungs", "points_per_merge": "many"},
        {"name": "lungs", "points_per_merge": "9" * 60},
        {"name": "lungs"},
        {"name": "../etc", "points_per_merge": "1"},
    ],
)
def test_a_form_that_is_none_is_refused(owner, fields):
    assert plan(owner, "repo_create", fields).status_code == 422


def test_an_action_that_is_not_there_is_not_found(owner):
    assert plan(owner, "rm_rf", {}).status_code == 404
    assert owner.get("/actions/rm_rf").status_code == 404


def test_without_a_network_it_says_that_nothing_was_charged(owner):
    answer = plan(owner, "repo_create", {"name": "lungs", "points_per_merge": "1"})

    assert answer.status_code == 503
    assert "nothing was charged" in answer.json["help"]
    assert owner.get("/actions/repo_create").status_code == 200


def pending(owner, wallet):
    from flair_client.ids import Address
    from flair_client.store.memory import MemoryStore
    from flair_web.signing.action import Form

    return PendingPlan(
        owner,
        Address.parse(wallet.address),
        ACTIONS["repo_create"],
        Form({}),
        1_800_000_000,
        MemoryStore(),
    )


@pytest.mark.parametrize("step", ["refresh", "send", "commit"])
def test_a_plan_is_of_one_session_alone(app, owner, step):
    from flair_web.signing.views import desk

    with app.app_context():
        kept = pending("somebody else", WALLET)
        desk().pending.keep(kept)

    answer = owner.post(f"/actions/plans/{kept.name}/{step}", {})
    progress = owner.get(f"/actions/plans/{kept.name}/progress")

    assert answer.status_code == progress.status_code == 422
    assert "begin again" in answer.json["error"]


@pytest.mark.parametrize("body", [[], {}, {"transaction": 3}, {"transaction": "AA%"}])
def test_what_is_no_transaction_is_not_sent(app, owner, body):
    from flair_web.session.guard import sessions
    from flair_web.signing.views import desk

    with app.app_context():
        (mine,) = sessions()._signed_in
        kept = pending(mine, WALLET)
        desk().pending.keep(kept)

    answer = owner.post(f"/actions/plans/{kept.name}/send", body)

    assert answer.status_code == 422


def test_plans_are_bounded_and_old_ones_go(monkeypatch, tmp_path):
    clock = Clock()
    plans = PendingPlans(clock)
    folder = tmp_path / "plan"
    folder.mkdir()
    first = pending("me", WALLET)
    first.folder = None
    kept = [pending("me", WALLET) for _ in range(9)]
    kept.insert(0, PendingPlan(*_parts(first), folder=folder))

    for one in kept:
        plans.keep(one)

    assert not folder.exists(), "the blocks of a plan go with it"
    with pytest.raises(Exception, match="begin again"):
        plans.find(kept[1].name, "me")
    assert plans.find(kept[-1].name, "me") is kept[-1]
    clock.seconds += 3601
    plans.keep(pending("other", OTHER))
    with pytest.raises(Exception, match="begin again"):
        plans.find(kept[-1].name, "me")


def _parts(one):
    return one.owner, one.wallet, one.action, one.form, one.made_at, one.written


def test_answers_about_wallets_are_kept_by_nobody(owner):
    told = owner.get("/session")
    refused = plan(owner, "repo_create", {})

    assert told.headers["Cache-Control"] == "no-store"
    assert refused.headers["Cache-Control"] == "no-store"


def test_slow_plans_do_not_take_all_threads(app, owner):
    from flair_web.signing.views import desk

    with app.app_context():
        seats = desk()._seats
    assert seats.acquire(blocking=False)
    assert seats.acquire(blocking=False)

    fields = {
        "repo": f"{WALLET.address}/heart",
        "branch": "main",
        "round": "1",
        "commit": "ab" * 32,
    }
    answer = plan(owner, "approve", fields)
    quick = plan(owner, "round_open", {k: fields[k] for k in ("repo", "branch")})

    assert answer.status_code == 422
    assert "try again in a moment" in answer.json["error"]
    assert quick.status_code == 503, "what is quick does not wait for it"
    seats.release(2)
    assert plan(owner, "approve", fields).status_code == 503
