"""Signing in: forged requests, planted cookies, texts of yesterday and of elsewhere."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wallet_site import ORIGIN, Browser, Clock, Wallet, make_site

from flair_client.ids import Address
from flair_web.session.message import STATEMENT
from flair_web.session.sessions import ABSOLUTE_S, IDLE_S, Sessions
from flair_web.session.views import _KNOWN, chain_name
from flair_web.settings import WebSettings

WALLET, OTHER = Wallet(), Wallet(bytes([2]) * 32)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app(tmp_path, clock):
    made = make_site(tmp_path, clock)
    yield made
    made.extensions["flair"].database.close()


@pytest.fixture
def browser(app):
    return Browser(app)


def refused(answer, words):
    assert answer.status_code == 403, answer.json
    assert words in answer.json["error"]


def test_a_wallet_signs_in_and_out(browser):
    browser.sign_in(WALLET)
    assert browser.session()["wallet"] == WALLET.address

    told = browser.post("/session/sign-out", {})

    assert told.json["wallet"] is None
    assert browser.session()["wallet"] is None


def test_the_text_says_what_it_is_for_and_what_not(browser):
    browser.session()

    text = browser.challenge(WALLET)

    lines = text.split("\n")
    assert lines[:2] == [
        "models.example wants you to sign in with your Solana account:",
        WALLET.address,
    ]
    assert STATEMENT in lines
    assert "allows no transaction" in STATEMENT
    assert f"URI: {ORIGIN}" in lines
    assert "Chain ID: solana:localnet" in lines


def test_the_cookie_is_for_this_site_alone_and_not_for_scripts(browser):
    told = browser.get("/session").headers["Set-Cookie"]

    name, _, rest = told.partition("=")
    assert name == "__Host-flair"
    for flag in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert flag in rest
    assert "Domain" not in rest


def test_pages_that_anybody_reads_set_no_cookie(browser):
    assert "Set-Cookie" not in browser.get("/actions/").headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": ORIGIN},
        {"Origin": "https://evil.example", "X-Flair-Token": "TOKEN"},
        {"Origin": "null", "X-Flair-Token": "TOKEN"},
        {"X-Flair-Token": "TOKEN"},
        {"Origin": ORIGIN, "X-Flair-Token": "another"},
        {"Origin": ORIGIN, "X-Flair-Token": "\u00ff"},
    ],
)
def test_no_forged_request_changes_anything(app, browser, headers):
    browser.sign_in(WALLET)
    given = {
        name: value.replace("TOKEN", browser.csrf) for name, value in headers.items()
    }
    paths = [
        rule.rule.replace("<name>", "approve")
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods
    ]

    codes = {path: browser.post(path, {}, headers=given).status_code for path in paths}

    assert len(codes) >= 7
    assert set(codes.values()) == {403}, codes
    assert browser.session()["wallet"] == WALLET.address


def test_the_token_of_another_session_is_no_token(app, browser):
    browser.sign_in(WALLET)
    stranger = Browser(app)
    stranger.session()
    browser.csrf = stranger.csrf

    refused(browser.post("/session/sign-out", {}), "load it again")


def test_a_planted_cookie_knows_nothing_of_who_signs_in(app, browser):
    attacker = Browser(app)
    attacker.session()
    planted = attacker.cookie()
    browser.client.set_cookie(
        "__Host-flair", planted, domain="models.example", secure=True
    )

    browser.sign_in(WALLET)

    assert browser.cookie() != planted
    assert attacker.session()["wallet"] is None
    assert attacker.csrf != browser.csrf


def test_a_sign_in_is_taken_once(app, browser):
    browser.session()
    signed = WALLET.answer(browser.challenge(WALLET))
    assert browser.post("/session/sign-in", signed).status_code == 200
    browser.session()

    refused(browser.post("/session/sign-in", signed), "nothing was asked")
    stranger = Browser(app)
    stranger.session()
    refused(stranger.post("/session/sign-in", signed), "nothing was asked")
    stranger.challenge(WALLET)
    refused(stranger.post("/session/sign-in", signed), "not the one")


def test_a_wrong_answer_uses_the_challenge_up(browser):
    browser.session()
    text = browser.challenge(WALLET)

    refused(browser.post("/session/sign-in", OTHER.answer(text)), "not the one")
    refused(browser.post("/session/sign-in", WALLET.answer(text)), "nothing was asked")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("models.example wants", "evil.example wants"),
        (f"URI: {ORIGIN}", "URI: https://evil.example"),
        ("solana:localnet", "solana:mainnet"),
        ("Nonce: ", "Nonce: x"),
        ("Issued At: 2027", "Issued At: 2026"),
        ("allows no transaction", "allows every transaction"),
        (WALLET.address, OTHER.address),
    ],
)
def test_a_text_that_was_changed_is_refused(browser, before, after):
    browser.session()
    text = browser.challenge(WALLET)
    assert before in text

    answer = WALLET.answer(text, signed=text.replace(before, after))

    refused(browser.post("/session/sign-in", answer), "not the one")


@pytest.mark.parametrize(
    ("lies", "words"),
    [
        ({"address": OTHER.address}, "not the one"),
        ({"address": "nobody"}, "not a valid address"),
        ({"signed": "something else"}, "not the one"),
        ({"sent": b"x" * 2500}, "not the one"),
    ],
)
def test_a_signature_of_something_else_is_refused(browser, lies, words):
    browser.session()

    answer = WALLET.answer(browser.challenge(WALLET), **lies)

    refused(browser.post("/session/sign-in", answer), words)


@pytest.mark.parametrize("signature", ["", "AAAA", "A" * 86 + "==", "no base64!"])
def test_what_is_no_signature_is_refused(browser, signature):
    browser.session()
    answer = WALLET.answer(browser.challenge(WALLET)) | {"signature": signature}

    assert browser.post("/session/sign-in", answer).status_code == 403


def test_a_sign_in_expires(browser, clock):
    browser.session()
    answer = WALLET.answer(browser.challenge(WALLET))
    clock.seconds += 300

    refused(browser.post("/session/sign-in", answer), "expired")


@pytest.mark.parametrize("body", [None, [], "text", {"address": 1}])
def test_what_is_no_form_is_refused(browser, body):
    browser.session()

    assert browser.post("/session/sign-in", body).status_code == 400


@pytest.mark.parametrize(("step", "n_steps"), [(IDLE_S + 1, 1), (IDLE_S, 15)])
def test_a_session_ends_by_itself(browser, clock, step, n_steps):
    browser.sign_in(WALLET)

    assert step * n_steps > IDLE_S
    for _ in range(n_steps):
        clock.seconds += step
        found = browser.session()["wallet"]

    assert found is None
    assert step * n_steps > ABSOLUTE_S or n_steps == 1


def test_strangers_never_push_out_who_signed_in(clock, monkeypatch):
    monkeypatch.setattr("flair_web.session.sessions._MAX_STRANGERS", 3)
    sessions = Sessions(clock)
    wallet = Address.parse(WALLET.address)
    mine = sessions.sign_in(sessions.begin(), wallet)

    strangers = [sessions.begin() for _ in range(5)]

    assert sessions.find(mine.name).wallet == wallet
    known = [sessions.find(one.name) is not None for one in strangers]
    assert known == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("network", "genesis_hash", "chain"),
    [
        ("localnet", None, "solana:localnet"),
        ("devnet", None, "solana:devnet"),
        ("own", "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG", "solana:devnet"),
        ("own", "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY", "solana:testnet"),
        ("mainnet", "1" * 32, "solana:localnet"),
    ],
)
def test_wallets_are_told_the_network_by_its_genesis_hash(network, genesis_hash, chain):
    settings = WebSettings("", "", network=network, genesis_hash=genesis_hash)

    assert chain_name(settings) == chain


def test_the_page_knows_the_same_hashes():
    table = Path(__file__).parents[2] / "web/frontend/src/signing/check.ts"
    text = table.read_text()

    for name, genesis_hash in _KNOWN.items():
        assert re.search(rf'"?{genesis_hash}"?: "solana:{name}"', text)
