"""Transactions against a cluster that loses, delays and forgets them."""

import base64
import itertools

import base58
import httpx
import pytest

from flair_client.chain.instructions import repo_create
from flair_client.chain.sending import (
    fetch_transaction,
    send_instructions,
    wait_confirmed,
)
from flair_client.chain.signer import KeypairSigner
from flair_client.errors import ProgramRefused, RpcRefused, RpcTimeout, RpcUnavailable
from flair_client.ids import Address

SIGNER = KeypairSigner(b"\7" * 32)
INSTRUCTION = repo_create(
    payer=SIGNER.address, creator=SIGNER.address, name="heart", points_per_merge=1
)
BLOCKS_PER_HASH = 150


class Cluster:
    """Takes transactions as a cluster does: the same bytes take effect once.

    Attributes:
        arrives: for each time something is sent, whether it is taken.
        confirm_s: so long after it was taken a transaction is confirmed.
        level_before: how it is called until then; None: it is not known.
        in_history: whether a status is found only where history is searched.
        block_s: time between two blocks; None: no block is ever made.
    """

    def __init__(self, node, clock):
        self.node, self.clock = node, clock
        self.arrives = itertools.repeat(True)
        self.confirm_s = 0.3
        self.level_before = None
        self.in_history = False
        self.block_s = 0.4
        self.err = None
        self.sent = []
        self.taken = {}
        self.hashes = []
        node.script |= {
            "getLatestBlockhash": self.latest_blockhash,
            "sendTransaction": self.send,
            "getSignatureStatuses": self.statuses,
            "getBlockHeight": lambda _options: self.height(),
            "getEpochInfo": lambda _options: {
                "absoluteSlot": self.height(),
                "blockHeight": self.height(),
            },
            "getTransaction": self.transaction,
        }

    def simulation_failed(self, err):
        return self.node.refusal(-32002, "simulation failed", data={"err": err})

    def height(self):
        return 100 if self.block_s is None else 100 + int(self.clock() / self.block_s)

    def latest_blockhash(self, _options):
        self.hashes.append(str(Address(bytes([len(self.hashes) + 1]) * 32)))
        value = {
            "blockhash": self.hashes[-1],
            "lastValidBlockHeight": self.height() + BLOCKS_PER_HASH,
        }
        return {"context": {"slot": self.height()}, "value": value}

    def send(self, wire, options):
        assert options["encoding"] == "base64"
        raw = base64.b64decode(wire)
        signature = base58.b58encode(raw[1:65]).decode()
        self.sent.append((self.height(), signature))
        fate = next(self.arrives)
        if fate is True:
            self.taken.setdefault(signature, self.clock())
        return signature if isinstance(fate, bool) else fate

    def statuses(self, signatures, options):
        found = [
            self.status(one, search_history=options["searchTransactionHistory"])
            for one in signatures
        ]
        return {"context": {"slot": self.height()}, "value": found}

    def status(self, signature, *, search_history):
        taken_at = self.taken.get(signature)
        if taken_at is None or (self.in_history and not search_history):
            return None
        level = self.level_before
        if self.clock() - taken_at >= self.confirm_s:
            level = "confirmed"
        if level is None:
            return None
        return {"slot": 9, "err": self.err, "confirmationStatus": level}

    def transaction(self, signature, _options):
        meta = {"err": self.err, "fee": 5000, "computeUnitsConsumed": 4321}
        return {
            "slot": 9,
            "meta": {**meta, "innerInstructions": []},
            "transaction": {
                "signatures": [signature],
                "message": {"accountKeys": [], "instructions": []},
            },
        }


@pytest.fixture
def cluster(node, clock):
    return Cluster(node, clock)


@pytest.fixture
def send(rpc, clock):
    def make():
        return send_instructions(rpc, [INSTRUCTION], [SIGNER], now=clock)

    make.rpc = rpc
    return make


def test_a_transaction_is_sent_once_when_it_is_confirmed_soon(cluster, send):
    result = send()

    assert (result.slot, result.compute_units, result.fee_lamports) == (9, 4321, 5000)
    assert [result.signature] == [signature for _, signature in cluster.sent]


def test_a_dropped_transaction_is_sent_again_as_it_is(cluster, send):
    cluster.arrives = itertools.chain([False, False], itertools.repeat(True))

    result = send()

    assert [signature for _, signature in cluster.sent] == [result.signature] * 3
    assert len(cluster.hashes) == 1


def test_a_transaction_whose_answer_was_lost_takes_effect_once(cluster, send, node):
    plain = node.script["sendTransaction"]

    def lose(wire, options):
        plain(wire, options)
        return httpx.ReadTimeout("slow")

    node.script["sendTransaction"] = lose

    result = send()

    assert list(cluster.taken) == [result.signature]


def test_an_expired_transaction_is_made_anew_and_the_old_one_left_alone(cluster, send):
    def taken_when_made_anew():
        while True:
            yield len(cluster.hashes) == 2

    cluster.arrives = taken_when_made_anew()

    result = send()

    assert list(cluster.taken) == [result.signature]
    old, new = dict.fromkeys(signature for _, signature in cluster.sent)
    assert new == result.signature
    since = min(height for height, signature in cluster.sent if signature == new)
    assert [one for _, one in cluster.sent].count(old) > 10
    assert since > 100 + BLOCKS_PER_HASH


def test_a_transaction_that_is_never_taken_ends_after_its_blocks_have_passed(
    cluster, send
):
    cluster.arrives = itertools.repeat(False)

    with pytest.raises(RpcTimeout, match="not taken in 4 attempts"):
        send()

    assert len(cluster.hashes) == 4
    assert cluster.height() > 100 + 4 * BLOCKS_PER_HASH
    assert not cluster.taken


def test_a_transaction_that_only_history_knows_is_not_made_anew(cluster, send):
    cluster.in_history = True

    result = send()

    assert list(cluster.taken) == [result.signature]
    assert len(cluster.hashes) == 1


def test_a_transaction_that_is_confirmed_late_is_not_made_anew(cluster, send):
    cluster.confirm_s = (BLOCKS_PER_HASH + 60) * cluster.block_s
    cluster.level_before = "processed"

    result = send()

    assert list(cluster.taken) == [result.signature]
    assert len(cluster.hashes) == 1


def test_a_transaction_that_stays_processed_is_given_up_and_not_made_anew(
    cluster, send
):
    cluster.confirm_s = float("inf")
    cluster.level_before = "processed"

    with pytest.raises(RpcTimeout, match="neither confirmed nor given up"):
        send()

    assert len(cluster.hashes) == 1
    assert 0 < cluster.height() - (100 + 2 * BLOCKS_PER_HASH) < 10


def test_a_cluster_that_stands_still_is_given_up_and_nothing_made_anew(
    cluster, send, clock
):
    cluster.arrives = itertools.repeat(False)
    cluster.block_s = None

    with pytest.raises(RpcTimeout, match="neither confirmed nor given up"):
        send()

    assert len(cluster.hashes) == 1
    assert clock() < 310


def test_a_refusal_by_the_program_in_the_trial_run_comes_with_its_name(cluster, send):
    err = {"InstructionError": [0, {"Custom": 6008}]}
    cluster.arrives = itertools.repeat(cluster.simulation_failed(err))

    with pytest.raises(ProgramRefused, match="instruction 0: not a valid name") as told:
        send()

    assert (told.value.number, told.value.name) == (6008, "NameInvalid")
    assert len(cluster.sent) == 1


def test_a_refusal_by_the_program_on_chain_comes_with_its_name(cluster, send):
    cluster.err = {"InstructionError": [2, {"Custom": 6014}]}

    with pytest.raises(ProgramRefused, match=r"instruction 2: .*HeadMoved") as told:
        send()

    assert told.value.number == 6014


def test_a_status_and_an_outcome_that_disagree_are_a_refusal(cluster, send, node):
    def failed(signature, options):
        answer = cluster.transaction(signature, options)
        answer["meta"]["err"] = "AccountInUse"
        return answer

    node.script["getTransaction"] = failed

    with pytest.raises(ProgramRefused, match="AccountInUse"):
        send()


@pytest.mark.parametrize(
    ("err", "name", "words"),
    [
        ("InsufficientFundsForFee", "InsufficientFundsForFee", "lamports for the fee"),
        ({"InstructionError": [0, {"Custom": 1}]}, "InsufficientLamports", "for the"),
        (
            "AccountNotFound",
            "AccountNotFound",
            "lamports: the wallet that pays has none",
        ),
        ({"InstructionError": [0, {"Custom": 0}]}, "AccountAlreadyInUse", "already"),
        ({"InstructionError": [0, {"Custom": 9}]}, "custom error 9", "error 9"),
        ({"InstructionError": [0, "InvalidAccountOwner"]}, "InvalidAccountOwner", "0"),
        (
            {"InstructionError": [0, "UninitializedAccount"]},
            "UninitializedAccount",
            "is not there",
        ),
        ({"InstructionError": [0, {"BorshIoError": "x"}]}, "BorshIoError", "0"),
        (
            {"InsufficientFundsForRent": {"account_index": 1}},
            "InsufficientFunds",
            "refused",
        ),
        ("SignatureFailure", "SignatureFailure", "refused"),
        ({"InstructionError": "x" * 999}, "InstructionError", "refused"),
        (["x" * 999], "['xxx", "refused"),
        (7, "7", "refused"),
    ],
)
def test_every_refusal_has_a_name(cluster, send, err, name, words):
    cluster.arrives = itertools.repeat(cluster.simulation_failed(err))

    with pytest.raises(ProgramRefused, match=words) as told:
        send()

    assert told.value.name.startswith(name)
    assert len(str(told.value)) < 300


@pytest.mark.parametrize("err", ["BlockhashNotFound", "AlreadyProcessed"])
def test_a_node_that_lags_behind_its_neighbours_is_asked_on(cluster, send, err):
    cluster.arrives = itertools.chain(
        [cluster.simulation_failed(err)], itertools.repeat(True)
    )

    result = send()

    assert list(cluster.taken) == [result.signature]


def test_a_node_that_says_it_is_behind_is_asked_on(cluster, send):
    cluster.arrives = itertools.chain(
        [cluster.node.refusal(-32005, "Node is behind by 42 slots")],
        itertools.repeat(True),
    )

    assert list(cluster.taken) == []
    assert send().signature in cluster.taken


def test_a_trial_run_that_fails_because_it_is_done_already_is_no_refusal(
    cluster, send, node
):
    err = {"InstructionError": [0, {"Custom": 0}]}
    cluster.level_before = "processed"
    plain = node.script["sendTransaction"]

    def take_and_fail(wire, options):
        plain(wire, options)
        return cluster.simulation_failed(err)

    node.script["sendTransaction"] = take_and_fail

    assert send().signature in cluster.taken


@pytest.mark.parametrize("code", [-32602, -32003, -32601, 7])
def test_another_refusal_by_the_node_is_told_at_once(cluster, send, code):
    cluster.arrives = itertools.repeat(cluster.node.refusal(code, "no such thing"))

    with pytest.raises(RpcRefused, match="no such thing"):
        send()

    assert len(cluster.sent) == 1


def test_a_trial_run_without_a_reason_is_told_at_once(cluster, send):
    cluster.arrives = itertools.repeat(cluster.node.refusal(-32002, "failed", data=7))

    with pytest.raises(RpcRefused, match="failed"):
        send()


def test_a_node_that_is_gone_is_told(cluster, send, node):
    for method in ("sendTransaction", "getSignatureStatuses"):
        node.script[method] = httpx.ConnectError("refused")

    with pytest.raises(
        RpcUnavailable, match=r"getSignatureStatuses.*cannot be reached"
    ):
        send()

    assert len(cluster.hashes) == 1


def test_a_transaction_comes_a_little_after_its_status(cluster, send, node, clock):
    node.script["getTransaction"] = (None, None, cluster.transaction)
    cluster.confirm_s = 0

    assert send().compute_units == 4321
    assert clock.slept == [0.1, 0.2]


def test_a_transaction_that_never_comes_is_told(node, rpc):
    node.script["getTransaction"] = None

    with pytest.raises(RpcTimeout, match="does not give the confirmed transaction"):
        fetch_transaction(rpc, "5" * 88)

    assert node.count("getTransaction") == 8


@pytest.mark.parametrize(
    "meta",
    [
        None,
        [],
        {"err": None, "fee": -1},
        {"err": None, "fee": "5000"},
        {"err": None, "fee": 5000, "computeUnitsConsumed": [1]},
        {"err": None, "fee": 5000, "computeUnitsConsumed": 1.5},
    ],
)
def test_an_outcome_of_another_shape_is_refused(cluster, send, node, meta):
    def spoiled(signature, options):
        answer = cluster.transaction(signature, options)
        if meta:
            meta["innerInstructions"] = []
        return {**answer, "meta": meta}

    node.script["getTransaction"] = spoiled

    with pytest.raises(RpcUnavailable, match="getTransaction"):
        send()


def test_another_transaction_than_the_one_asked_for_is_refused(cluster, send, node):
    node.script["getTransaction"] = cluster.transaction("1" * 88, {})

    with pytest.raises(RpcUnavailable, match="another transaction"):
        send()


def test_waiting_for_a_transaction_of_somebody_else(cluster, rpc, clock):
    cluster.taken["5" * 88] = 4.0
    cluster.confirm_s = 0
    clock.seconds = 4.0

    wait_confirmed(rpc, "5" * 88)

    assert clock.slept == []


def test_waiting_ends_in_time(cluster, rpc, clock):
    with pytest.raises(RpcTimeout, match="not confirmed after 5 s"):
        wait_confirmed(rpc, "5" * 88, timeout_s=5)

    assert 5 <= clock() < 7


def test_waiting_for_a_transaction_that_fails(cluster, rpc):
    cluster.taken["5" * 88] = 0.0
    cluster.confirm_s = 0
    cluster.err = "InsufficientFundsForFee"

    with pytest.raises(ProgramRefused, match="InsufficientFundsForFee"):
        wait_confirmed(rpc, "5" * 88)


def test_what_was_seen_confirmed_is_there_for_every_later_read(cluster, send, node):
    framed = node.framed(None)
    behind = node.refusal(-32016, "Minimum context slot has not been reached")
    node.script["getAccountInfo"] = (behind, behind, framed)
    node.script["getProgramAccounts"] = []
    rpc = send.rpc
    rpc.get_program_accounts(SIGNER.address)
    send()

    assert rpc.get_account(SIGNER.address) is None
    rpc.get_program_accounts(SIGNER.address)

    options = [
        params[1] for method, params in node.asked if method.startswith("getPro")
    ]
    assert [one.get("minContextSlot") for one in options] == [None, 9]
    assert node.count("getAccountInfo") == 3


def test_a_node_that_stays_behind_is_told(cluster, send, node):
    node.script["getAccountInfo"] = node.refusal(-32016, "not reached")
    send()

    with pytest.raises(RpcUnavailable, match="behind what was seen already"):
        send.rpc.get_account(SIGNER.address)


def test_no_answer_is_asked_for_older_than_an_earlier_one(rpc, node):
    node.script["getBlockHeight"] = 5
    for slot in (7, 9, 8):
        rpc.read_from(slot)
        rpc.get_block_height()

    slots = [params[0]["minContextSlot"] for _, params in node.asked]
    assert slots == [7, 9, 9]
