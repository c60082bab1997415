"""Who is answered over HTTP, how much, and in which envelope."""

import json

import httpx
import pytest

from flair_client.errors import UsageError
from flair_client.localnet import run_localnet, start_localnet
from flair_client.localnet.server import BATCH_LIMIT, BODY_LIMIT, check_origin

PAGE = "http://localhost:5000"
ELSEWHERE = "https://evil.test"
QUESTION = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with (
        start_localnet(tmp_path_factory.mktemp("net")) as net,
        httpx.Client(base_url=net.url) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def open_net(tmp_path_factory):
    """One that answers pages of PAGE."""
    folder = tmp_path_factory.mktemp("net")
    with (
        start_localnet(folder, origins=[PAGE.upper() + "/"]) as net,
        httpx.Client(base_url=net.url) as client,
    ):
        yield client


def post(net, content=None, *, json_type="application/json", **headers):
    content = json.dumps(QUESTION) if content is None else content
    given = {"content-type": json_type}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return net.post("/", content=content, headers=given)


def ask(net, content):
    answer = post(net, json.dumps(content))
    assert answer.status_code == 200
    return answer.json()


def preflight(net, origin):
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, solana-client",
    }
    return net.options("/", headers=headers)


# Who.


def port_of(net):
    return net.base_url.port


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_a_program_on_this_machine_is_answered(net, name):
    assert post(net, host=f"{name}:{port_of(net)}").json()["result"] == "ok"
    assert post(net, host=name).json()["result"] == "ok"


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:8899",
        "127.0.0.1.evil.test:8899",
        "localhost.evil.test",
        "127.0.0.1:8899:evil.test",
        "evil.test:127.0.0.1",
        "[::1]evil.test:1",
        "127.0.0.1:port",
        "localhost:",
        "0.0.0.0",  # noqa: S104 - a name that leads here too
        "",
    ],
)
def test_a_name_that_somebody_else_points_here_is_refused(net, open_net, host):
    for one in (net, open_net):
        assert post(one, host=host).status_code == 403
        assert one.get("/health", headers={"host": host}).status_code == 403


def test_health_is_told_without_json(net):
    assert net.get("/health").text == "ok"


@pytest.mark.parametrize("origin", [PAGE, ELSEWHERE, "null", "", "file://"])
def test_no_web_page_is_answered_unless_allowed(net, origin):
    answer = post(net, origin=origin)

    assert (answer.status_code, answer.text) == (403, "web pages are not answered")
    assert "access-control-allow-origin" not in answer.headers
    assert preflight(net, origin).status_code == 405


def test_a_page_of_an_allowed_origin_is_answered(open_net):
    asked = preflight(open_net, PAGE)
    answer = post(open_net, origin=PAGE)

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert asked.headers["access-control-allow-methods"] == "POST"
    allowed = asked.headers["access-control-allow-headers"].lower()
    assert {"content-type", "solana-client"} <= set(allowed.split(", "))
    assert answer.json()["result"] == "ok"
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in answer.headers
    assert post(open_net).json()["result"] == "ok"


@pytest.mark.parametrize(
    "origin",
    [
        ELSEWHERE,
        "null",
        "http://localhost:5001",
        "https://localhost:5000",
        "http://localhost:5000.evil.test",
        "http://localhost:50000",
    ],
)
def test_a_page_of_another_origin_is_not(open_net, origin):
    answer = post(open_net, origin=origin)

    assert answer.status_code == 403
    assert answer.headers.get("access-control-allow-origin") != origin
    asked = preflight(open_net, origin)
    assert asked.status_code == 400
    assert asked.headers.get("access-control-allow-origin") is None


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("http://localhost:5000", "http://localhost:5000"),
        ("HTTPS://Flair.example/", "https://flair.example"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_is_written_as_browsers_do(given, origin):
    assert check_origin(given) == origin


@pytest.mark.parametrize(
    "given",
    ["*", "null", "", "localhost:5000", "http://", "http://a/b", "http://a b"],
)
def test_what_is_no_origin_is_refused_before_anything_starts(tmp_path, given):
    with pytest.raises(UsageError, match="is not an origin such as"):
        run_localnet(tmp_path / "net", origins=[given])

    assert not (tmp_path / "net").exists()


# How.


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_posts_are_answered(net, method):
    assert net.request(method, "/").status_code == 405


def test_another_path_is_not_found(net):
    assert net.post("/rpc", json=QUESTION).status_code == 404


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"]
)
def test_another_content_type_is_refused(net, kind):
    # The types that a page can send to anybody without asking.
    assert post(net, json_type=kind).status_code == 415


def test_a_content_type_with_a_charset_is_taken(net):
    answer = post(net, json_type="Application/JSON; charset=utf-8")

    assert answer.json()["result"] == "ok"


def test_a_request_up_to_the_limit_is_read_and_no_further(net):
    text = json.dumps(QUESTION)
    full = text + " " * (BODY_LIMIT - len(text))

    assert post(net, full).json()["result"] == "ok"
    assert post(net, full + " ").status_code == 413


def test_a_request_without_an_end_is_cut_off(net):
    def endless():
        for _ in range(1000):
            yield b" " * 65_536

    try:
        answer = net.post(
            "/", content=endless(), headers={"content-type": "application/json"}
        )
    except httpx.WriteError:
        pass
    else:
        assert answer.status_code == 413
    assert post(net).json()["result"] == "ok"


# Envelopes.


@pytest.mark.parametrize(
    ("content", "code", "request_id"),
    [
        ("{", -32700, None),
        ("", -32700, None),
        ("7", -32700, None),
        ("[" * 100_000, -32700, None),
        ("null", -32700, None),
        ('{"jsonrpc":"2.0","id":[1],"method":"getHealth"}', -32700, None),
        ('{"jsonrpc":"2.0","id":true,"method":"getHealth"}', -32700, None),
        ('{"jsonrpc":"2.0","id":1e999,"method":"getHealth"}', -32700, None),
        ('{"jsonrpc":"2.0","id":NaN,"method":"getHealth"}', -32700, None),
        ('[{"jsonrpc":"2.0","id":1,"method":"getHealth"},7]', -32700, None),
        ('{"jsonrpc":"2.0","id":1}', -32600, 1),
        ('{"jsonrpc":"1.0","id":"a","method":"getHealth"}', -32600, "a"),
        ('{"id":1,"method":"getHealth"}', -32600, 1),
        ('{"jsonrpc":"2.0","id":1,"method":7}', -32600, 1),
        ('{"jsonrpc":"2.0","id":1,"method":"nope"}', -32601, 1),
        ('{"jsonrpc":"2.0","id":1,"method":"getSlot","params":{}}', -32602, 1),
        ('{"jsonrpc":"2.0","id":1,"method":"getSlot","params":7}', -32602, 1),
    ],
)
def test_what_is_no_request_is_told_so(net, content, code, request_id):
    answer = post(net, content).json()

    assert (answer["error"]["code"], answer["id"]) == (code, request_id)


@pytest.mark.parametrize("request_id", [0, 7, -1, "", "x", None, 1.5])
def test_the_id_comes_back_as_it_was(net, request_id):
    assert ask(net, {**QUESTION, "id": request_id}) == {
        "jsonrpc": "2.0",
        "result": "ok",
        "id": request_id,
    }


def test_parameters_may_be_null_or_left_out(net):
    for more in ({}, {"params": None}, {"params": []}):
        assert ask(net, {**QUESTION, **more})["result"] == "ok"


def test_a_notification_gets_no_answer(net):
    quiet = {"jsonrpc": "2.0", "method": "getHealth"}

    for content in (quiet, [quiet, quiet], []):
        answer = post(net, json.dumps(content))
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_batch_is_answered_one_by_one(net):
    answers = ask(
        net,
        [
            QUESTION,
            {"jsonrpc": "2.0", "method": "getSlot"},
            {"jsonrpc": "2.0", "id": "a", "method": "nope"},
        ],
    )

    assert [(one["id"], "result" in one) for one in answers] == [
        (1, True),
        ("a", False),
    ]
    assert len(ask(net, [QUESTION] * BATCH_LIMIT)) == BATCH_LIMIT
    assert ask(net, [QUESTION] * (BATCH_LIMIT + 1))["error"]["code"] == -32600
