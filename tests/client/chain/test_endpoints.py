"""Several RPCs of one cluster: away, behind, busy, or of another cluster."""

import base64

import base58
import httpx
import pytest

from flair_client.chain.rpc import Rpc
from flair_client.chain.sending import send_instructions
from flair_client.chain.transport import Patience
from flair_client.errors import ClusterMismatch, RpcRefused, RpcTimeout, RpcUnavailable
from flair_client.ids import Address

GENESIS = str(Address(b"\x31" * 32))
DOWN = httpx.ConnectError("refused")


def busy(seconds):
    return httpx.Response(429, headers={"retry-after": str(seconds)})


@pytest.fixture
def nodes(node):
    """Two nodes by the names of their hosts."""
    return {"a.test": node, "b.test": type(node)()}


@pytest.fixture
def make(nodes, clock):
    made = []

    def handle(request):
        return nodes[request.url.host].handle(request)

    def open_rpc(**settings):
        settings = {"genesis_hash": GENESIS} | settings
        rpc = Rpc(
            "http://a.test",
            more_urls=["http://b.test"],
            http=httpx.MockTransport(handle),
            patience=Patience(attempts=3, backoff_s=0.5),
            sleep=clock.sleep,
            **settings,
        )
        made.append(rpc)
        return rpc

    yield open_rpc
    for rpc in made:
        rpc.close()


@pytest.mark.parametrize(
    "fault",
    [DOWN, httpx.ReadTimeout("slow"), httpx.Response(403), busy(7), b"<html>", b"7"],
    ids=str,
)
def test_where_one_gives_no_answer_the_next_is_asked_at_once(nodes, make, clock, fault):
    nodes["a.test"].script["getBlockHeight"] = (fault, 1)
    nodes["b.test"].script["getBlockHeight"] = 12
    rpc = make()

    assert rpc.get_block_height() == 12
    assert clock.slept == []


def test_the_one_that_answered_is_asked_first_from_then_on(nodes, make):
    nodes["a.test"].script["getBlockHeight"] = DOWN
    nodes["b.test"].script["getBlockHeight"] = 12
    rpc = make()

    rpc.get_block_height()
    rpc.get_block_height()

    assert nodes["a.test"].count("getBlockHeight") == 1
    assert rpc.url == "http://b.test"


def test_a_node_that_is_away_altogether_costs_no_answer(nodes, make):
    nodes["a.test"].script["getGenesisHash"] = DOWN
    nodes["b.test"].script["getBlockHeight"] = 12

    assert make().get_block_height() == 12


def test_where_all_are_away_it_is_waited_and_asked_again(nodes, make, clock):
    nodes["a.test"].script["getBlockHeight"] = DOWN
    nodes["b.test"].script["getBlockHeight"] = (DOWN, DOWN, 12)

    assert make().get_block_height() == 12
    assert clock.slept == [0.5, 1.0]


def test_where_all_stay_away_each_is_named(nodes, make):
    nodes["a.test"].script["getBlockHeight"] = DOWN
    nodes["b.test"].script["getBlockHeight"] = busy(0)

    with pytest.raises(RpcUnavailable, match=r"a\.test.*refused; .*too many requests"):
        make().get_block_height()


def test_of_two_that_want_to_be_left_alone_the_shorter_time_is_waited(
    nodes, make, clock
):
    nodes["a.test"].script["getBlockHeight"] = busy(20)
    nodes["b.test"].script["getBlockHeight"] = (busy(3), 12)

    assert make().get_block_height() == 12
    assert clock.slept == [3]


def test_two_that_want_to_be_left_alone_for_long_are(nodes, make, clock):
    for one in nodes.values():
        one.script["getBlockHeight"] = busy(600)

    with pytest.raises(RpcUnavailable, match="left alone for 600 s"):
        make().get_block_height()
    assert clock.slept == []


def test_an_error_is_an_answer(nodes, make):
    nodes["a.test"].script["getBlockHeight"] = nodes["a.test"].refusal(-32602)

    with pytest.raises(RpcRefused):
        make().get_block_height()
    assert not nodes["b.test"].count("getBlockHeight")


@pytest.mark.parametrize("code", [-32005, -32016])
def test_a_node_that_is_behind_is_passed_by(nodes, make, code):
    nodes["a.test"].script["getBlockHeight"] = nodes["a.test"].refusal(code)
    nodes["b.test"].script["getBlockHeight"] = 12

    assert make().get_block_height() == 12


@pytest.mark.parametrize("pinned", [GENESIS, None])
def test_another_cluster_is_never_asked_for_anything_else(nodes, make, pinned):
    nodes["a.test"].script["getBlockHeight"] = (4, DOWN)
    nodes["b.test"].script["getGenesisHash"] = str(Address(b"\x32" * 32))
    rpc = make(genesis_hash=pinned)
    rpc.get_block_height()

    with pytest.raises(ClusterMismatch, match=r"http://b\.test belongs to the"):
        rpc.get_block_height()
    assert not nodes["b.test"].count("getBlockHeight")


def test_what_must_be_asked_once_is_asked_once(nodes, make):
    nodes["a.test"].script["requestAirdrop"] = DOWN

    with pytest.raises(RpcUnavailable):
        make().request_airdrop(Address(b"\1" * 32), 5)
    assert nodes["a.test"].count("requestAirdrop") == 1
    assert not nodes["b.test"].count("requestAirdrop")


def test_a_node_that_lags_does_not_say_that_a_transaction_is_lost(
    nodes, make, clock, instruction, signer
):
    """The first says that the blockhash is over and goes away; the second lags."""
    taken = []

    def take(wire, _options):
        raw = base64.b64decode(wire)
        taken.append(base58.b58encode(raw[1:65]).decode())
        return taken[-1]

    latest = {"blockhash": GENESIS, "lastValidBlockHeight": 150}
    for one in nodes.values():
        one.script |= {
            "getLatestBlockhash": {"context": {"slot": 9}, "value": latest},
            "sendTransaction": take,
            "getBlockHeight": 400,
            "getEpochInfo": {"absoluteSlot": 900, "blockHeight": 400},
        }
    nodes["a.test"].script["getSignatureStatuses"] = DOWN
    nodes["b.test"].script["getSignatureStatuses"] = {
        "context": {"slot": 100},
        "value": [None],
    }

    with pytest.raises(RpcTimeout, match="neither confirmed nor given up"):
        send_instructions(make(), [instruction], [signer], now=clock)

    # Sent again and again, and never made anew.
    assert len(set(taken)) == 1
