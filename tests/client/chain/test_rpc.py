"""What an RPC may do wrong, and what comes of it: each rule is broken once."""

import base64
import gzip
import tracemalloc

import httpx
import pytest

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import AccountFilter, Rpc
from flair_client.chain.transport import Patience, Transport
from flair_client.errors import (
    AccountInvalid,
    ClusterMismatch,
    RpcRefused,
    RpcUnavailable,
    UsageError,
)
from flair_client.ids import Address

WHERE = Address(b"\x41" * 32)
OTHER = Address(b"\x42" * 32)
SIGNATURE = "5" * 88


def refused_with(status, **headers):
    return httpx.Response(status, headers=headers)


# Too late, too often, broken: asked again.


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("cut off"),
        refused_with(500),
        refused_with(502),
        refused_with(503),
        refused_with(429),
        b'{"jsonrpc":"2.0","id":1,"res',
        b"",
        b"<html>busy</html>",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"null",
        b"{}",
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":99,"result":4}',
        b'{"jsonrpc":"2.0","id":"1","result":4}',
        b'{"jsonrpc":"2.0","id":true,"result":4}',
        b'{"jsonrpc":"2.0","id":null,"result":4}',
        b'{"jsonrpc":"2.0","id":99,"error":{"code":-32602,"message":"no"}}',
        b'{"jsonrpc":"2.0","id":1,"error":"no"}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":true,"message":"no"}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":429,"message":"no"}}',
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1,"result":' + b"9" * 5000 + b"}",
    ],
    ids=lambda fault: str(fault)[:50],
)
def test_a_passing_fault_is_asked_over(node, rpc, clock, fault):
    node.script["getBlockHeight"] = (fault, 12)

    assert rpc.get_block_height() == 12
    assert clock.slept == [0.5]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (httpx.ReadTimeout("slow"), "did not answer in time"),
        (httpx.ConnectError("refused"), "cannot be reached: refused"),
        (refused_with(500), "status 500"),
        (refused_with(429), "too many requests"),
        (b'{"id', "not JSON"),
        (b"7", "not a JSON-RPC answer"),
        (b'{"jsonrpc":"2.0","id":0,"result":4}', "belongs to another request"),
    ],
)
def test_a_lasting_fault_ends_with_a_sentence(node, rpc, clock, fault, words):
    node.script["getBlockHeight"] = fault

    with pytest.raises(RpcUnavailable, match=words) as caught:
        rpc.get_block_height()

    assert str(caught.value).startswith("getBlockHeight: ")
    assert node.count("getBlockHeight") == 3
    assert clock.slept == [0.5, 1.0]


def test_pauses_double_up_to_their_limit(make_rpc, node, clock):
    patience = Patience(attempts=6, backoff_s=1, backoff_limit_s=5)
    node.script["getBlockHeight"] = refused_with(500)

    with pytest.raises(RpcUnavailable):
        make_rpc(patience=patience).get_block_height()

    assert clock.slept == [1, 2, 4, 5, 5]


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0.5),
        ({"retry-after": "-3"}, 0.5),
        ({"retry-after": "soon"}, 0.5),
        ({"retry-after": "\u0667"}, 0.5),
        (
            {
                "retry-after": "Tue, 01 Jan 2030 00:00:09 GMT",
                "date": "Tue, 01 Jan 2030 00:00:00 GMT",
            },
            9,
        ),
        ({"retry-after": "Tue, 01 Jan 2030 00:00:09 GMT"}, 0.5),
        (
            {
                "retry-after": "Tue, 01 Jan 2030 00:00:09 -0000",
                "date": "Tue, 01 Jan 2030 00:00:00 GMT",
            },
            0.5,
        ),
    ],
)
def test_the_pause_that_a_server_asks_for_is_kept(node, rpc, clock, headers, pause):
    raw = [(name, text.encode()) for name, text in headers.items()]
    busy = [httpx.Response(status, headers=raw) for status in (429, 503)]
    node.script["getBlockHeight"] = (*busy, 12)

    assert rpc.get_block_height() == 12
    assert clock.slept == [pause, max(pause, 1.0)]


@pytest.mark.parametrize("seconds", ["31", "3600", "9" * 400])
def test_a_server_that_wants_a_long_pause_is_not_asked_again(node, rpc, clock, seconds):
    node.script["getBlockHeight"] = refused_with(429, **{"retry-after": seconds})

    with pytest.raises(RpcUnavailable, match="wants to be left alone for"):
        rpc.get_block_height()

    assert clock.slept == []
    assert node.count("getBlockHeight") == 1


def test_an_airdrop_is_never_asked_for_twice(node, rpc):
    node.script["requestAirdrop"] = httpx.ReadTimeout("slow")

    with pytest.raises(RpcUnavailable, match="in time"):
        rpc.request_airdrop(WHERE, 5)

    assert node.count("requestAirdrop") == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 413])
def test_a_refusal_over_http_is_not_asked_over(node, rpc, status):
    node.script["getBlockHeight"] = refused_with(status, location="http://evil.test")

    with pytest.raises(RpcUnavailable, match=f"getBlockHeight.*status {status}"):
        rpc.get_block_height()

    assert node.count("getBlockHeight") == 1


def test_a_refusal_by_the_node_comes_with_its_code_and_data(node, rpc):
    node.script["getBlockHeight"] = node.refusal(-32602, "x" * 10_000, data=[1])

    with pytest.raises(RpcRefused) as caught:
        rpc.get_block_height()

    assert (caught.value.code, caught.value.data) == (-32602, [1])
    assert len(str(caught.value)) < 400
    assert node.count("getBlockHeight") == 1


def test_a_refusal_of_a_request_that_could_not_be_read_counts(node, rpc):
    body = (
        b'{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}'
    )
    node.script["getBlockHeight"] = body

    with pytest.raises(RpcRefused, match="Parse error"):
        rpc.get_block_height()


# Too big, packed, without an end.


def stream(parts, **headers):
    return httpx.Response(200, headers=headers, content=iter(parts))


def test_an_oversized_answer_is_dropped_before_it_takes_memory(make_rpc, node):
    sent = []

    def endless():
        while True:
            sent.append(1)
            yield b" " * 65_536

    rpc = make_rpc(patience=Patience(answer_limit=2**20))
    node.script["getBlockHeight"] = stream(endless())

    with pytest.raises(RpcUnavailable, match="above 1048576 bytes"):
        rpc.get_block_height()

    assert len(sent) <= 17
    assert node.count("getBlockHeight") == 1


def test_a_packed_answer_is_refused_before_it_is_unpacked(make_rpc, node):
    bomb = gzip.compress(b" " * 2**26)
    node.script["getBlockHeight"] = stream([bomb], **{"content-encoding": "gzip"})
    rpc = make_rpc()
    rpc.get_genesis_hash()

    tracemalloc.start()
    try:
        with pytest.raises(RpcUnavailable, match="packed as 'gzip'"):
            rpc.get_block_height()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2**22


def test_answers_are_asked_for_unpacked():
    seen = []

    def handle(request):
        seen.append(request.headers["accept-encoding"])
        return stream([b'{"jsonrpc":"2.0","id":1,"result":3}'])

    rpc = Rpc("http://127.0.0.1:1", http=httpx.MockTransport(handle))

    assert rpc.get_block_height() == 3
    assert seen == ["identity"]
    rpc.close()


def test_an_answer_that_trickles_is_given_up(node, clock):
    def trickle():
        while True:
            clock.seconds += 20
            yield b" "

    transport = Transport(
        "http://127.0.0.1:1",
        patience=Patience(attempts=2, answer_s=60),
        http=httpx.MockTransport(node.handle),
        sleep=clock.sleep,
        now=clock,
    )
    node.script["getBlockHeight"] = lambda *_: stream(trickle())

    with pytest.raises(RpcUnavailable, match="in time"):
        transport.ask("getBlockHeight", [])

    assert clock.seconds < 200
    transport.close()


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "127.0.0.1:8899", "http://", "https:///x", "http://[::1"]
)
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match="not an http URL"):
        Rpc(url)


# Another cluster.


def test_another_cluster_is_never_asked_anything(make_rpc, node):
    rpc = make_rpc(genesis_hash=str(OTHER))
    for ask in (
        rpc.get_block_height,
        lambda: rpc.send_transaction(b"x"),
        lambda: rpc.get_account(WHERE),
        rpc.get_health,
    ):
        with pytest.raises(ClusterMismatch, match=str(OTHER)):
            ask()

    assert {method for method, _ in node.asked} == {"getGenesisHash"}


def test_the_pinned_cluster_is_checked_once(make_rpc, node):
    rpc = make_rpc(genesis_hash=node.script["getGenesisHash"])
    node.script["getBlockHeight"] = 4

    assert [rpc.get_block_height(), rpc.get_block_height()] == [4, 4]
    assert node.count("getGenesisHash") == 1


@pytest.mark.parametrize("genesis", [7, None, "x", "1" * 31, "0" * 44])
def test_a_genesis_hash_that_is_none_is_refused(make_rpc, node, genesis):
    node.script["getGenesisHash"] = genesis
    with pytest.raises(RpcUnavailable, match="genesis hash"):
        make_rpc(genesis_hash=str(OTHER)).get_block_height()


# Accounts.


def test_an_account_is_read(node, rpc):
    node.script["getAccountInfo"] = node.framed(node.account(b"abc", OTHER))

    found = rpc.get_account(WHERE)

    assert (found.address, found.owner, found.lamports) == (WHERE, OTHER, 5)
    assert (found.data, found.executable) == (b"abc", False)
    assert node.asked[-1][1][1] == {"commitment": "confirmed", "encoding": "base64"}


def test_an_account_that_is_not_there_is_none(node, rpc):
    node.script["getAccountInfo"] = node.framed(None)

    assert rpc.get_account(WHERE) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": ["!!!", "base64"]}, "not base64"),
        ({"data": ["YWJ", "base64"]}, "not base64"),
        ({"data": ["YWJj\n", "base64"]}, "not base64"),
        ({"data": ["é", "base64"]}, "not base64"),
        ({"space": 10**12}, "not as long as the RPC says"),
        ({"space": 2}, "not as long as the RPC says"),
        ({"space": "3"}, "not as long as the RPC says"),
    ],
)
def test_an_account_with_bad_data_is_refused(node, rpc, changes, words):
    node.script["getAccountInfo"] = node.framed(node.account(b"abc", OTHER, **changes))

    with pytest.raises(AccountInvalid, match=words) as caught:
        rpc.get_account(WHERE)

    assert caught.value.address == WHERE


def test_an_account_larger_than_any_is_refused_undecoded(node, rpc):
    text = "A" * (20 * 2**20 + 4)
    answer = node.account(b"", OTHER, data=[text, "base64"], space=15 * 2**20)
    node.script["getAccountInfo"] = node.framed(answer)

    with pytest.raises(AccountInvalid, match="longer than an account can be"):
        rpc.get_account(WHERE)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "YWJj"},
        {"data": ["YWJj"]},
        {"data": ["YWJj", "base58"]},
        {"data": [7, "base64"]},
        {"data": {}},
        {"owner": "x"},
        {"owner": 7},
        {"lamports": -1},
        {"lamports": 2**64},
        {"lamports": 1.0},
        {"lamports": True},
        {"lamports": "5"},
    ],
)
def test_an_account_of_another_shape_is_refused(node, rpc, changes):
    node.script["getAccountInfo"] = node.framed(node.account(b"abc", OTHER, **changes))

    with pytest.raises(RpcUnavailable, match="no valid"):
        rpc.get_account(WHERE)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        7,
        {},
        {"value": None},
        {"context": None, "value": None},
        {"context": {"slot": -1}, "value": None},
        {"context": {"slot": 1}},
        {"context": {"slot": 1}, "value": 7},
        {"context": {"slot": 1}, "value": []},
    ],
)
def test_an_answer_without_its_frame_is_refused(node, rpc, answer):
    node.script["getAccountInfo"] = answer

    with pytest.raises(RpcUnavailable, match="no valid"):
        rpc.get_account(WHERE)


def test_many_accounts_come_in_order_and_in_parts(node, rpc):
    wanted = [Address(n.to_bytes(32, "big")) for n in range(1, 121)]

    def give(addresses, _options):
        return node.framed(
            [node.account(Address.parse(one).raw, OTHER) for one in addresses]
        )

    node.script["getMultipleAccounts"] = give

    found = rpc.get_multiple_accounts(wanted)

    assert [one.data for one in found] == [one.raw for one in wanted]
    assert [len(params[0]) for _, params in node.asked] == [100, 20]


@pytest.mark.parametrize("value", [[], [None, None], None, {}])
def test_another_number_of_accounts_is_refused(node, rpc, value):
    node.script["getMultipleAccounts"] = node.framed(value)

    with pytest.raises(RpcUnavailable, match="list of accounts"):
        rpc.get_multiple_accounts([WHERE])


def program_accounts(node, account):
    node.script["getProgramAccounts"] = [{"pubkey": str(WHERE), "account": account}]


def test_accounts_of_the_program_are_found(node, rpc):
    program_accounts(node, node.account(b"abcd", PROGRAM_ID))

    (found,) = rpc.get_program_accounts(
        PROGRAM_ID, size=4, filters=[AccountFilter(1, b"bc")]
    )

    assert (found.address, found.data) == (WHERE, b"abcd")
    assert node.asked[-1][1][1]["filters"] == [
        {"dataSize": 4},
        {
            "memcmp": {
                "offset": 1,
                "bytes": base64.b64encode(b"bc").decode(),
                "encoding": "base64",
            }
        },
    ]


@pytest.mark.parametrize(
    ("data", "owner", "words"),
    [
        (b"abcd", OTHER, "not by the program"),
        (b"abcde", PROGRAM_ID, "5 bytes instead of 4"),
        (b"aXcd", PROGRAM_ID, "not one of the accounts asked for"),
    ],
)
def test_an_account_that_was_not_asked_for_is_refused(node, rpc, data, owner, words):
    program_accounts(node, node.account(data, owner))

    with pytest.raises(AccountInvalid, match=words):
        rpc.get_program_accounts(PROGRAM_ID, size=4, filters=[AccountFilter(1, b"bc")])


# The other answers.


@pytest.mark.parametrize(
    ("method", "ask", "bad"),
    [
        ("getBlockHeight", lambda rpc: rpc.get_block_height(), [None, "7", -1, 1.5]),
        ("getBalance", lambda rpc: rpc.get_balance(WHERE), [7, None]),
        (
            "getMinimumBalanceForRentExemption",
            lambda rpc: rpc.get_minimum_balance_for_rent_exemption(8),
            [None, 2**64],
        ),
        ("getVersion", lambda rpc: rpc.get_version(), [None, {}, "4"]),
        (
            "getLatestBlockhash",
            lambda rpc: rpc.get_latest_blockhash(),
            [
                None,
                {"context": {"slot": 1}, "value": None},
                {"context": {"slot": 1}, "value": {"blockhash": str(WHERE)}},
                {
                    "context": {"slot": 1},
                    "value": {"blockhash": "x", "lastValidBlockHeight": 4},
                },
            ],
        ),
        ("sendTransaction", lambda rpc: rpc.send_transaction(b"x"), [None, "1" * 91]),
        ("requestAirdrop", lambda rpc: rpc.request_airdrop(WHERE, 1), [None, 7]),
        (
            "simulateTransaction",
            lambda rpc: rpc.simulate_transaction(b"x"),
            [
                None,
                {"context": {"slot": 1}, "value": {"logs": 7}},
                {"context": {"slot": 1}, "value": {"unitsConsumed": "7"}},
            ],
        ),
        (
            "getSignatureStatuses",
            lambda rpc: rpc.get_signature_statuses([SIGNATURE]),
            [
                None,
                {"context": {"slot": 1}, "value": []},
                {"context": {"slot": 1}, "value": [7]},
                {"context": {"slot": 1}, "value": [{"slot": 1, "err": None}]},
                {
                    "context": {"slot": 1},
                    "value": [{"slot": 1, "confirmationStatus": "sure"}],
                },
                {
                    "context": {"slot": 1},
                    "value": [{"confirmationStatus": "finalized"}],
                },
            ],
        ),
        (
            "getSignaturesForAddress",
            lambda rpc: rpc.get_signatures_for_address(WHERE, limit=1),
            [
                None,
                [7],
                [{"signature": 7, "slot": 1}],
                [{"signature": SIGNATURE, "slot": None}],
                [{"signature": SIGNATURE, "slot": 1}] * 2,
            ],
        ),
        (
            "getTransaction",
            lambda rpc: rpc.get_transaction(SIGNATURE),
            [
                7,
                {},
                {"transaction": {}},
                {"transaction": {"signatures": []}},
                {"transaction": {"signatures": ["4" * 88]}},
            ],
        ),
    ],
)
def test_an_answer_of_another_shape_is_refused(node, rpc, method, ask, bad):
    for answer in bad:
        node.script[method] = answer
        with pytest.raises(RpcUnavailable, match=method):
            ask(rpc)


def test_every_read_names_its_commitment_level(node, rpc):
    node.script |= {
        "getBalance": node.framed(3),
        "getBlockHeight": 3,
        "getMinimumBalanceForRentExemption": 3,
        "getLatestBlockhash": node.framed(
            {"blockhash": str(WHERE), "lastValidBlockHeight": 9}
        ),
        "getAccountInfo": node.framed(None),
        "getMultipleAccounts": node.framed([None]),
        "getProgramAccounts": [],
        "getTransaction": None,
        "getSignaturesForAddress": [],
        "sendTransaction": SIGNATURE,
        "simulateTransaction": node.framed({"err": None, "logs": None}),
        "requestAirdrop": SIGNATURE,
    }

    rpc.get_balance(WHERE)
    rpc.get_block_height()
    rpc.get_minimum_balance_for_rent_exemption(3)
    assert rpc.get_latest_blockhash().last_valid_block_height == 9
    rpc.get_account(WHERE)
    rpc.get_multiple_accounts([WHERE])
    rpc.get_program_accounts(PROGRAM_ID)
    assert rpc.get_transaction(SIGNATURE) is None
    rpc.get_signatures_for_address(WHERE, until=SIGNATURE, before=SIGNATURE)
    rpc.send_transaction(b"x")
    assert rpc.simulate_transaction(b"x").logs == ()
    rpc.request_airdrop(WHERE, 3)

    levels = {
        method: params[-1].get("commitment") or params[-1].get("preflightCommitment")
        for method, params in node.asked
    }
    assert set(levels.values()) == {"confirmed"}
    assert len(levels) == 12


def test_a_node_that_says_it_is_behind_is_not_healthy(node, rpc):
    node.script["getHealth"] = (
        "ok",
        node.refusal(-32005, "Node is behind by 42 slots"),
    )

    assert [rpc.get_health(), rpc.get_health()] == [True, False]
