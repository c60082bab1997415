"""Priority: what is offered, that it stays below the cap, and when it is left out."""

import base64
from itertools import count

import base58
import pytest
from solders.transaction import Transaction

from flair_client.chain.priority import budget_of
from flair_client.chain.sending import send_instructions
from flair_client.ids import Address

HASH = str(Address(b"\x51" * 32))
COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"


@pytest.fixture
def cluster(node):
    """Takes everything; remembers what was tried and what was sent."""
    node.tried, node.sent = [], []

    def send(wire, _options):
        node.sent.append(base64.b64decode(wire))
        return base58.b58encode(node.sent[-1][1:65]).decode()

    def simulate(wire, options):
        node.tried.append((base64.b64decode(wire), options))
        return node.framed({"err": None, "logs": [], "unitsConsumed": 10_000})

    status = {"slot": 9, "err": None, "confirmationStatus": "confirmed"}
    node.script |= {
        "getLatestBlockhash": node.framed(
            {"blockhash": HASH, "lastValidBlockHeight": 150}
        ),
        "getRecentPrioritizationFees": lambda _accounts: [
            {"slot": slot, "prioritizationFee": fee}
            for slot, fee in zip(count(), (0, 900, 100, 500))
        ],
        "simulateTransaction": simulate,
        "sendTransaction": send,
        "getSignatureStatuses": node.framed([status]),
        "getTransaction": lambda signature, _options: {
            "slot": 9,
            "meta": {"err": None, "fee": 5000, "innerInstructions": []},
            "transaction": {
                "signatures": [signature],
                "message": {"accountKeys": [], "instructions": []},
            },
        },
    }
    return node


def offered(wire):
    """Tag and number of each instruction about the budget."""
    message = Transaction.from_bytes(wire).message
    return [
        (one.data[0], int.from_bytes(one.data[1:], "little"))
        for one in message.instructions
        if str(message.account_keys[one.program_id_index]) == COMPUTE_BUDGET
    ]


def test_what_lately_sufficed_is_offered(cluster, make_rpc, instruction, signer):
    send_instructions(make_rpc(priority_cap=10**6), [instruction], [signer])

    # The limit is what a trial used and a tenth; three of four slots took 900 or less.
    assert offered(cluster.sent[0]) == [(2, 11_300), (3, 900)]
    (accounts,) = dict(cluster.asked)["getRecentPrioritizationFees"]
    assert str(signer.address) in accounts


def test_the_trial_cannot_be_sent(cluster, make_rpc, instruction, signer):
    send_instructions(make_rpc(priority_cap=10**6), [instruction], [signer])

    ((wire, options),) = cluster.tried
    assert Transaction.from_bytes(wire).signatures[0].to_bytes() == bytes(64)
    assert options["sigVerify"] is False
    assert options["commitment"] == "confirmed"


def test_a_cap_is_never_passed(cluster, make_rpc, instruction, signer):
    send_instructions(make_rpc(priority_cap=3), [instruction], [signer])

    (_, units), (_, price) = offered(cluster.sent[0])
    assert -(-units * price // 10**6) <= 3


@pytest.mark.parametrize("used", [1, 10_000, 1_400_000])
@pytest.mark.parametrize("cap", [0, 1, 10**9])
def test_no_budget_costs_more_than_the_cap(used, cap):
    budget = budget_of(used, 10**12, cap)

    assert budget.lamports <= cap
    assert budget.compute_units >= used


def test_without_a_cap_nothing_is_asked_and_nothing_offered(
    cluster, make_rpc, instruction, signer
):
    send_instructions(make_rpc(), [instruction], [signer])

    assert offered(cluster.sent[0]) == []
    assert not cluster.count("getRecentPrioritizationFees")
    assert not cluster.count("simulateTransaction")


def test_where_nobody_pays_nothing_is_offered(cluster, make_rpc, instruction, signer):
    cluster.script["getRecentPrioritizationFees"] = [
        {"slot": 1, "prioritizationFee": 0}
    ]

    send_instructions(make_rpc(priority_cap=10**6), [instruction], [signer])

    assert offered(cluster.sent[0]) == []


def test_where_the_trial_fails_the_rpc_decides(cluster, make_rpc, instruction, signer):
    cluster.script["simulateTransaction"] = cluster.framed(
        {"err": "AccountNotFound", "logs": []}
    )

    send_instructions(make_rpc(priority_cap=10**6), [instruction], [signer])

    assert offered(cluster.sent[0]) == []
