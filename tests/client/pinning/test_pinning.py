"""Pins asked for, followed, replaced and removed; services that talk nonsense."""

import datetime as dt
import json
import re

import httpx
import jsonschema_rs
import pytest
from description import CID, DESCRIPTION
from service import DELEGATE, TOKEN, Service, serving

from flair_client.cli.app import run
from flair_client.config_file import write_config
from flair_client.errors import (
    IdentifierInvalid,
    PinFailed,
    PinRefused,
    PinTimeout,
    SiteRefused,
    StoreUnavailable,
    UsageError,
    WalletError,
)
from flair_client.ids import Cid
from flair_client.porcelain.pin import check_token, pin_follow, read_token
from flair_client.store.pinning import PinPatience, PinService, PinState
from flair_client.testing_objects import make_cid

WANTED = Cid.parse(CID)
PATIENCE = PinPatience(attempts=3, backoff_s=1, poll_s=1, most_s=4)


class Asking:
    """A client, the service that it asks, and the pauses that it makes."""

    def __init__(self, url, service):
        self.service = service
        self.naps = []
        self.now = 1_000_000.0
        self.client = PinService(
            url, TOKEN, patience=PATIENCE, sleep=self.sleep, now=lambda: self.now
        )

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds

    def clock(self):
        return self.now


@pytest.fixture
def asking():
    service = Service()
    with serving(service) as url:
        found = Asking(url, service)
        yield found
        found.client.close()


def scripted(*answers):
    """A client of a service that gives these answers and no others."""
    left = list(answers)

    def answer(_request):
        status, body, headers = (*left.pop(0), {})[:3]
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        stream = httpx.ByteStream(body)
        return httpx.Response(status, headers=headers, stream=stream)

    return PinService(
        "https://pins.test",
        TOKEN,
        patience=PATIENCE,
        http=httpx.MockTransport(answer),
        sleep=lambda _: None,
    )


def follow(asking, pin, **how):
    heard = []
    found = asking.client.follow(
        pin, heard=heard.append, clock=asking.clock, **({"most_s": 100} | how)
    )
    return found, [one.state.value for one in heard]


def test_a_pin_is_followed_until_it_is_pinned(asking):
    pin = asking.client.add(WANTED, "heart", ["/ip4/192.0.2.1/tcp/4001/p2p/Qm"])

    found, heard = follow(asking, pin)

    assert pin.state is PinState.QUEUED
    assert pin.delegates == (DELEGATE,)
    assert found.state is PinState.PINNED
    assert heard == ["pinning", "pinned"]
    assert asking.naps == [1, 1.5]
    (body,) = asking.service.bodies
    assert body["cid"] == CID
    assert body["origins"] == ["/ip4/192.0.2.1/tcp/4001/p2p/Qm"]


def test_what_is_asked_is_what_the_description_allows(asking):
    asking.client.add(WANTED, "n" * 300, [f"/ip4/192.0.2.{n}" for n in range(30)])
    schemas = DESCRIPTION["components"]
    valid = jsonschema_rs.validator_for(
        {"components": schemas, **schemas["schemas"]["Pin"]}
    )

    for body in asking.service.bodies:
        valid.validate(body)


def test_what_is_pinned_or_on_its_way_is_not_asked_for_twice(asking):
    first = asking.client.add(WANTED, "one")

    again = asking.client.add(WANTED, "two")
    asking.service.pins[first.request_id]["status"] = "failed"
    anew = asking.client.add(WANTED, "three")

    assert again.request_id == first.request_id
    assert anew.request_id != first.request_id
    assert len(asking.service.bodies) == 2


def test_an_answer_that_was_lost_does_not_make_two_pins(asking):
    inner, lost = httpx.HTTPTransport(), []

    class Losing(httpx.BaseTransport):
        def handle_request(self, request):
            answer = inner.handle_request(request)
            if request.method == "POST" and not lost:
                lost.append(request)
                answer.close()
                raise httpx.ReadError("cut")
            return answer

        def close(self):
            inner.close()

    client = PinService(
        asking.client.url, TOKEN, patience=PATIENCE, http=Losing(), sleep=asking.sleep
    )

    pin = client.add(WANTED, "once")
    client.close()

    assert list(asking.service.pins) == [pin.request_id]


def test_a_pin_takes_anothers_place(asking):
    old = asking.client.add(WANTED, "old")

    new = asking.client.replace(old.request_id, make_cid(5), "new")

    assert list(asking.service.pins) == [new.request_id]
    assert new.cid == str(make_cid(5))


def test_a_pin_is_removed_and_gone_is_gone(asking):
    pin = asking.client.add(WANTED, "old")

    asking.client.remove(pin.request_id)
    asking.client.remove(pin.request_id)

    assert asking.service.pins == {}
    with pytest.raises(PinRefused, match="no such pin"):
        asking.client.look(pin.request_id)


def test_long_lists_come_in_pages(asking):
    for n in range(2050):
        asking.service.add({"cid": f"bafk{n}"})

    found = list(asking.client.pins())

    assert len({one.request_id for one in found}) == 2050
    pages = [one for one in asking.service.asked if one == ("GET", "/pins")]
    assert len(pages) == 3


@pytest.mark.parametrize(
    ("headers", "nap"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "999999"}, 300),
        ({"retry-after": "soon"}, 1),
        ({}, 1),
    ],
)
def test_who_is_busy_is_asked_later(asking, headers, nap):
    asking.service.trouble = [(429, headers)]

    asking.client.look(asking.service.add({"cid": CID})["requestid"])

    assert asking.naps == [nap]


def test_a_date_says_how_long_to_wait(asking):
    date = dt.datetime.fromtimestamp(asking.now + 20, dt.UTC)
    text = date.strftime("%a, %d %b %Y %H:%M:%S GMT")
    asking.service.trouble = [(503, {"retry-after": text})]

    asking.client.look(asking.service.add({"cid": CID})["requestid"])

    assert asking.naps == [20]


def test_who_stays_busy_is_given_up(asking):
    asking.service.trouble = [(503, {})] * 3

    with pytest.raises(StoreUnavailable, match="503"):
        list(asking.client.pins())

    assert asking.naps == [1, 2]


def test_a_wrong_token_is_refused_and_not_shown(asking):
    client = PinService(asking.client.url, "false-token", patience=PATIENCE)

    with pytest.raises(PinRefused, match="401") as caught:
        client.add(WANTED, "x")
    client.close()

    assert "false-token" not in str(caught.value)


def test_the_token_does_not_follow_a_redirection():
    client = scripted((302, b"", {"location": "https://else.test/pins"}))

    with pytest.raises(PinRefused, match="302"):
        client.look("r1")


@pytest.mark.parametrize(
    ("steps", "error"), [(("queued", "failed"), PinFailed), (("queued",), PinTimeout)]
)
def test_a_pin_that_fails_or_takes_too_long_is_told(asking, steps, error):
    asking.service.steps = steps
    pin = asking.client.add(WANTED, "x")
    told = asking.client
    follow_as_is = told.follow
    told.follow = lambda pin, **how: follow_as_is(pin, clock=asking.clock, **how)

    with pytest.raises(error) as caught:
        pin_follow(told, pin, most_s=10, heard=lambda _: None)

    assert sum(asking.naps) <= 10
    if error is PinFailed:
        assert "position 0" in str(caught.value)


GOOD = {
    "requestid": "r1",
    "status": "pinned",
    "created": "2026-01-01T00:00:00Z",
    "pin": {"cid": CID},
    "delegates": [DELEGATE],
}


@pytest.mark.parametrize(
    "change",
    [
        {"status": "lost"},
        {"status": None},
        {"pin": None},
        {"pin": {"cid": 5}},
        {"created": 5},
        {"requestid": None},
    ],
)
def test_an_answer_of_another_shape_is_no_pinning_service(change):
    with pytest.raises(StoreUnavailable, match="no pinning service"):
        scripted((200, GOOD | change)).look("r1")


@pytest.mark.parametrize("request_id", ["", ".", "..", "x" * 300, "a\nb"])
def test_a_request_id_that_cannot_stand_in_a_path_is_refused(request_id):
    with pytest.raises(IdentifierInvalid):
        scripted((200, GOOD | {"requestid": request_id})).look("r1")
    with pytest.raises(IdentifierInvalid):
        scripted().look(request_id)


def test_addresses_that_are_none_are_left_out():
    given = [DELEGATE, "no slash", 5, "/" + "x" * 600, "/a\x1bb", *["/ip4/1"] * 30]

    found = scripted((200, GOOD | {"delegates": given})).look("r1")

    assert found.delegates[0] == DELEGATE
    assert set(found.delegates) == {DELEGATE, "/ip4/1"}
    assert scripted((200, GOOD | {"delegates": "x"})).look("r1").delegates == ()


def test_an_answer_without_end_is_not_read():
    with pytest.raises(StoreUnavailable, match="without end"):
        scripted((200, b" " * (9 << 20))).look("r1")


def test_a_list_that_repeats_itself_ends():
    page = {"count": 5000, "results": [GOOD] * 3}

    found = list(scripted((200, page), (200, page)).pins())

    assert len(found) == 3
    with pytest.raises(StoreUnavailable):
        list(scripted((200, {"results": []})).pins())


@pytest.mark.parametrize(
    "url",
    ["http://pins.example", "ftp://x", "https://", "https://a:b@x", "https://x/?y", ""],
)
def test_no_url_that_would_show_the_token(url):
    with pytest.raises(UsageError):
        PinService(url, TOKEN)


def test_a_token_lies_in_a_file_of_ones_own_outside_the_workspace(tmp_path):
    path = tmp_path / "token"
    path.write_text(f" {TOKEN}\n")
    path.chmod(0o600)

    assert read_token(path, workspace=None) == TOKEN
    with pytest.raises(WalletError, match="in the workspace"):
        read_token(path, workspace=tmp_path)
    path.chmod(0o640)
    with pytest.raises(WalletError, match="only you"):
        read_token(path, workspace=None)
    with pytest.raises(WalletError, match="cannot be read"):
        read_token(tmp_path / "none", workspace=None)
    for text in ("", "two words", "nöt", "a\r\nb: c"):
        with pytest.raises(WalletError) as caught:
            check_token(text, "FLAIR_PIN_TOKEN")
        assert not text or text not in str(caught.value)


@pytest.fixture
def flair(tmp_path, monkeypatch, capsys):
    home = tmp_path / "home"
    write_config(
        home / "config.toml",
        {"core.color": False},
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLAIR_PIN_TOKEN", TOKEN)

    def call(*words):
        code = run([*map(str, words), "--home", str(home)])
        return code, capsys.readouterr()

    return call


def test_the_command_lists_watches_and_removes(asking, flair):
    asking.service.steps = ("pinned",)
    made = asking.service.add({"cid": CID, "name": "heart"})
    where = ("--service", asking.client.url)

    code, said = flair("pin", "list", *where)
    assert code == 0
    assert re.search(r"pinned +" + CID + " +heart", said.out)
    code, said = flair("pin", "watch", made["requestid"], *where, "--json")
    assert code == 0
    assert json.loads(said.out)["result"]["pin"]["state"] == "pinned"
    code, said = flair("pin", "remove", made["requestid"], *where)
    assert (code, asking.service.pins) == (0, {})


def test_the_command_names_what_is_missing(flair, monkeypatch, tmp_path):
    code, said = flair("pin", "list")
    assert code == 2
    assert "pin.url" in said.err
    monkeypatch.delenv("FLAIR_PIN_TOKEN")
    code, said = flair("pin", "list", "--service", "https://pins.test")
    assert code == 3
    assert "FLAIR_PIN_TOKEN" in said.err
    code, said = flair("pin", "add", "main", "--service", "https://pins.test")
    assert code == 2
    assert "workspace" in said.err


def test_a_site_says_which_services_are_talked_to(asking):
    from flair_client.porcelain.pin import pin_list
    from flair_client.site_rules import SiteRules

    site = SiteRules(hosts=("rpc.example",))

    with pytest.raises(SiteRefused):
        pin_list(site, asking.client)

    assert asking.service.asked == []
