"""Every method against the shapes and error codes of a real node.

The names of the fields and the codes were written down from Agave 4.2.0; solders, which
parses its answers, must parse ours.
"""

import base64
import json
from pathlib import Path

import base58
import pytest
import zstandard
from solders.hash import Hash
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.rpc import responses
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus

from flair_client.chain.instructions import repo_create
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_config_pda,
    find_program_data_pda,
    find_repo_pda,
)
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.transactions import events_from_transaction
from flair_client.localnet.methods import METHODS

STRANGER = str(KeypairSigner(b"\x22" * 32).address)
CONFIG = str(find_config_pda()[0])
PROGRAM = str(PROGRAM_ID)
NOWHERE = "1" * 64
B64 = {"encoding": "base64"}


def create(signer, name):
    return repo_create(
        payer=signer.address, creator=signer.address, name=name, points_per_merge=1
    )


@pytest.fixture
def send(ask, rich):
    """Sends a transaction that makes a repository; gives its signature and bytes."""

    def make(name, **options):
        signed = ask.sign(create(rich, name), signers=[rich])
        wire = base64.b64encode(signed.wire).decode()
        assert ask("sendTransaction", wire, {**B64, **options}) == signed.signature
        return signed.signature, wire

    return make


def parsed(ask, kind, method, *params):
    """The answer as solders reads it."""
    return kind.from_json(json.dumps(ask.body(method, *params))).value


def test_every_method_is_tested_here():
    text = Path(__file__).read_text()
    assert [name for name in METHODS if f'"{name}"' not in text] == []


# Shapes.


def test_cluster_methods(ask):
    slot = ask("getSlot")
    assert parsed(ask, responses.GetHealthResp, "getHealth") == "ok"
    version = ask("getVersion")
    assert set(version) == {"feature-set", "solana-core"}
    assert "flair-localnet" in version["solana-core"]
    parsed(ask, responses.GetVersionResp, "getVersion")
    genesis = parsed(ask, responses.GetGenesisHashResp, "getGenesisHash")
    assert base58.b58decode(str(genesis)).startswith(b"flair-localnet\0\0")
    assert parsed(ask, responses.GetSlotResp, "getSlot") == slot
    assert parsed(ask, responses.GetBlockHeightResp, "getBlockHeight") == slot
    count = parsed(ask, responses.GetTransactionCountResp, "getTransactionCount")
    assert count >= 1
    assert ask("getAgGenesisCert") is None
    assert ask("getFirstAvailableBlock") == ask("minimumLedgerSlot") == 0
    epoch = parsed(ask, responses.GetEpochInfoResp, "getEpochInfo")
    assert (epoch.absolute_slot, epoch.epoch, epoch.slots_in_epoch) == (slot, 0, 432000)
    assert set(ask("getEpochInfo")) == {
        "absoluteSlot",
        "blockHeight",
        "epoch",
        "slotIndex",
        "slotsInEpoch",
        "transactionCount",
    }
    assert parsed(ask, responses.GetBlockTimeResp, "getBlockTime", 0) == 1_700_000_000
    fees = ask("getRecentPrioritizationFees", [PROGRAM])
    assert [set(one) for one in fees] == [{"slot", "prioritizationFee"}]
    assert ask("getRecentPrioritizationFees") == fees
    rent = parsed(
        ask,
        responses.GetMinimumBalanceForRentExemptionResp,
        "getMinimumBalanceForRentExemption",
        100,
    )
    assert rent == (128 + 100) * 5080


def test_blockhashes_and_fees(ask, rich):
    latest = parsed(ask, responses.GetLatestBlockhashResp, "getLatestBlockhash")
    assert latest.last_valid_block_height == ask("getSlot") + 150
    blockhash = str(latest.blockhash)
    kind = responses.IsBlockhashValidResp
    assert parsed(ask, kind, "isBlockhashValid", blockhash) is True
    assert parsed(ask, kind, "isBlockhashValid", NOWHERE[:32]) is False
    for valid, fee in ((blockhash, 5000), (NOWHERE[:32], None)):
        signed = ask.sign(create(rich, "fee"), signers=[rich], blockhash=valid)
        message = VersionedTransaction.from_bytes(signed.wire).message
        text = base64.b64encode(to_bytes_versioned(message)).decode()
        kind = responses.GetFeeForMessageResp
        assert parsed(ask, kind, "getFeeForMessage", text) == fee


def test_accounts(ask):
    kind = responses.GetAccountInfoResp
    assert parsed(ask, kind, "getAccountInfo", STRANGER, B64) is None
    account = parsed(ask, kind, "getAccountInfo", CONFIG, B64)
    assert (str(account.owner), account.executable) == (PROGRAM, False)
    assert parsed(ask, responses.GetBalanceResp, "getBalance", CONFIG) == (
        account.lamports
    )
    assert ask("getBalance", STRANGER)["value"] == 0
    shown = ask("getAccountInfo", CONFIG, B64)
    assert set(shown) == {"context", "value"}
    assert set(shown["context"]) == {"apiVersion", "slot"}
    assert set(shown["value"]) == {
        "data",
        "executable",
        "lamports",
        "owner",
        "rentEpoch",
        "space",
    }
    both = parsed(
        ask,
        responses.GetMultipleAccountsResp,
        "getMultipleAccounts",
        [STRANGER, CONFIG],
    )
    assert both == [None, account]


def test_encodings_of_an_account_agree(ask):
    def data(address=CONFIG, **options):
        return ask("getAccountInfo", address, options)["value"]["data"]

    plain = base64.b64decode(data(encoding="base64")[0])
    packed = data(encoding="base64+zstd")
    unpacked = zstandard.ZstdDecompressor().decompress(base64.b64decode(packed[0]))
    assert unpacked == plain
    assert packed[1] == "base64+zstd"
    # Without a parser for the owner a node gives base64.
    assert data(encoding="jsonParsed") == data(encoding="base64")
    short = base58.b58encode(base64.b64decode(data(PROGRAM, **B64)[0])).decode()
    assert data(PROGRAM, encoding="base58") == [short, "base58"]
    assert data(PROGRAM) == data(PROGRAM, encoding="binary") == short
    part = {"offset": 3, "length": 5}
    sliced = data(encoding="base64", dataSlice=part)
    assert base64.b64decode(sliced[0]) == plain[3:8]
    assert data(encoding="base64", dataSlice={"offset": 10**6, "length": 5})[0] == ""
    assert ask("getAccountInfo", CONFIG, {**B64, "dataSlice": part})["value"][
        "space"
    ] == len(plain)


def test_program_accounts(ask):
    def found(*filters):
        return ask("getProgramAccounts", PROGRAM, {**B64, "filters": filters})

    whole = base64.b64decode(ask("getAccountInfo", CONFIG, B64)["value"]["data"][0])
    tag = {"offset": 0, "bytes": base58.b58encode(whole[:8]).decode()}
    coded = {
        "offset": 0,
        "bytes": base64.b64encode(whole[:8]).decode(),
        "encoding": "base64",
    }
    assert [one["pubkey"] for one in found({"memcmp": tag})] == [CONFIG]
    assert found({"memcmp": coded}, {"dataSize": len(whole)}) == found({"memcmp": tag})
    assert found({"memcmp": {**tag, "offset": 1}}) == []
    assert found({"memcmp": {**tag, "offset": 10**9}}) == []
    assert found({"dataSize": 1}) == []
    kind = responses.GetProgramAccountsResp
    (one,) = parsed(ask, kind, "getProgramAccounts", PROGRAM, B64)
    assert str(one.pubkey) == CONFIG
    kind = responses.GetProgramAccountsWithContextResp
    options = {**B64, "withContext": True}
    (again,) = parsed(ask, kind, "getProgramAccounts", PROGRAM, options)
    assert again == one
    assert ask("getProgramAccounts", STRANGER) == []


def test_the_program_is_deployed_as_an_upgradeable_one(ask):
    program = ask("getAccountInfo", PROGRAM, B64)["value"]
    data = base64.b64decode(program["data"][0])

    assert program["executable"]
    assert data == (2).to_bytes(4, "little") + find_program_data_pda()[0].raw


def test_a_transaction_from_sending_to_history(ask, rich, send):
    signature, _ = send("heart")
    repo = str(find_repo_pda(rich.address, "heart")[0])

    (status,) = parsed(
        ask, responses.GetSignatureStatusesResp, "getSignatureStatuses", [signature]
    )
    assert status.confirmation_status == TransactionConfirmationStatus.Finalized
    assert (status.err, status.slot) == (None, ask("getSlot"))
    found = ask("getTransaction", signature, {"maxSupportedTransactionVersion": 1})
    kind = responses.GetTransactionResp
    parsed(ask, kind, "getTransaction", signature, "base64")
    parsed(ask, kind, "getTransaction", signature, "json")
    assert set(found) == {
        "blockTime",
        "meta",
        "slot",
        "transaction",
        "transactionIndex",
        "version",
    }
    assert set(found["meta"]) == {
        "computeUnitsConsumed",
        "err",
        "fee",
        "innerInstructions",
        "loadedAddresses",
        "logMessages",
        "postBalances",
        "postTokenBalances",
        "preBalances",
        "preTokenBalances",
        "rewards",
        "status",
    }
    assert found["version"] == "legacy"
    assert "version" not in ask("getTransaction", signature)
    assert found["transaction"]["signatures"] == [signature]
    assert set(found["transaction"]["message"]) == {
        "accountKeys",
        "header",
        "instructions",
        "recentBlockhash",
    }
    assert len(events_from_transaction(found)) == 1
    paid = found["meta"]["preBalances"][0] - found["meta"]["postBalances"][0]
    assert paid == 5000 + ask("getBalance", repo)["value"]
    history = ask("getSignaturesForAddress", repo)
    assert history == [
        {
            "blockTime": found["blockTime"],
            "confirmationStatus": "finalized",
            "err": None,
            "memo": None,
            "signature": signature,
            "slot": found["slot"],
            "transactionIndex": 0,
        }
    ]
    parsed(ask, responses.GetSignaturesForAddressResp, "getSignaturesForAddress", repo)


def test_history_comes_newest_first_and_in_pages(ask, rich, send):
    first, second, third = (send(f"page-{n}")[0] for n in range(3))
    payer = str(rich.address)

    def history(**options):
        found = ask("getSignaturesForAddress", payer, options)
        return [one["signature"] for one in found]

    assert history(limit=3) == [third, second, first]
    assert history(limit=2, before=third) == [second, first]
    assert history(until=first) == [third, second]
    assert history(before=third, until=first) == [second]


def test_a_failed_transaction_keeps_its_fee_and_its_error(ask, rich, send):
    before = ask("getBalance", str(rich.address))["value"]
    signed = ask.sign(create(rich, "Bad Name"), signers=[rich])
    wire = base64.b64encode(signed.wire).decode()

    ask("sendTransaction", wire, {**B64, "skipPreflight": True})

    err = {"InstructionError": [0, {"Custom": 6008}]}
    (status,) = ask("getSignatureStatuses", [signed.signature])["value"]
    assert (status["err"], status["status"]) == (err, {"Err": err})
    assert ask("getTransaction", signed.signature)["meta"]["err"] == err
    assert ask("getBalance", str(rich.address))["value"] == before - 5000


def test_an_airdrop_is_an_ordinary_transfer(ask):
    to = KeypairSigner(b"\x51" * 32).address

    twice = {ask("requestAirdrop", str(to), 5_000_000) for _ in range(2)}

    assert len(twice) == 2
    assert ask("getBalance", str(to))["value"] == 10_000_000
    parsed(ask, responses.RequestAirdropResp, "requestAirdrop", str(to), 1)


def test_a_simulation_changes_nothing(ask, rich):
    signed = ask.sign(create(rich, "trial"), signers=[rich])
    wire = base64.b64encode(signed.wire).decode()
    repo = str(find_repo_pda(rich.address, "trial")[0])
    options = {
        **B64,
        "sigVerify": True,
        "innerInstructions": True,
        "accounts": {"addresses": [repo, STRANGER]},
    }

    found = ask("simulateTransaction", wire, options)["value"]
    value = parsed(
        ask, responses.SimulateTransactionResp, "simulateTransaction", wire, B64
    )

    assert found["err"] is None
    assert found["fee"] == 5000
    assert value.units_consumed == found["unitsConsumed"] > 1000
    assert found["logs"][1] == "Program log: Instruction: repo_create"
    assert [one and one["owner"] for one in found["accounts"]] == [PROGRAM, None]
    assert len(found["innerInstructions"]) == 1
    assert ask("getAccountInfo", repo, B64)["value"] is None


def test_a_simulation_with_another_blockhash(ask, rich):
    stale = ask.sign(create(rich, "stale"), signers=[rich], blockhash=NOWHERE[:32])
    wire = base64.b64encode(stale.wire).decode()

    refused = ask("simulateTransaction", wire, B64)["value"]
    found = ask("simulateTransaction", wire, {**B64, "replaceRecentBlockhash": True})[
        "value"
    ]

    assert (refused["err"], refused["logs"]) == ("BlockhashNotFound", [])
    assert found["err"] is None
    assert found["replacementBlockhash"]["blockhash"] == ask.blockhash()


def test_a_versioned_transaction_is_given_only_to_who_knows_its_version(ask, rich):
    message = MessageV0.try_compile(
        Pubkey.from_bytes(rich.address.raw),
        [],
        [],
        Hash.from_string(ask.blockhash()),
    )
    signature = rich.sign(to_bytes_versioned(message))
    tx = VersionedTransaction.populate(message, [Signature.from_bytes(signature)])
    name = ask("sendTransaction", base64.b64encode(bytes(tx)).decode(), B64)

    assert ask.error("getTransaction", name)["code"] == -32015
    options = {"maxSupportedTransactionVersion": 0}
    found = ask("getTransaction", name, options)
    assert found["version"] == 0
    assert found["transaction"]["message"]["addressTableLookups"] == []
    kind = responses.GetTransactionResp
    parsed(ask, kind, "getTransaction", name, {**options, **B64})


# Refusals before anything happens.


def test_a_trial_run_that_fails_says_why_and_costs_nothing(ask, rich):
    before = ask("getTransactionCount")
    signed = ask.sign(create(rich, "Bad Name"), signers=[rich])
    error = ask.error("sendTransaction", base64.b64encode(signed.wire).decode(), B64)

    assert error["code"] == -32002
    assert error["message"] == (
        "Transaction simulation failed: Error processing Instruction 0: "
        "custom program error: 0x1778"
    )
    assert error["data"]["err"] == {"InstructionError": [0, {"Custom": 6008}]}
    assert "Program log: Instruction: repo_create" in error["data"]["logs"]
    assert error["data"]["unitsConsumed"] > 0
    assert ask("getTransactionCount") == before


@pytest.mark.parametrize(
    ("spoil", "err", "words"),
    [
        ("again", "AlreadyProcessed", "This transaction has already been processed"),
        ("blockhash", "BlockhashNotFound", "Blockhash not found"),
        (
            "signature",
            "SignatureFailure",
            "Transaction did not pass signature verification",
        ),
        (
            "payer",
            "AccountNotFound",
            "Attempt to debit an account but found no record of a prior credit.",
        ),
        (
            "funds",
            {"InstructionError": [0, {"Custom": 1}]},
            "Error processing Instruction 0: custom program error: 0x1",
        ),
    ],
)
def test_a_transaction_that_cannot_be_taken_says_why(ask, rich, spoil, err, words):
    signer = rich
    if spoil in ("payer", "funds"):
        signer = KeypairSigner(spoil.encode().ljust(32, b"\1"))
    if spoil == "funds":
        ask.fund(signer, 1_000_000)
    blockhash = NOWHERE[:32] if spoil == "blockhash" else None
    signed = ask.sign(
        create(signer, f"spoilt-{spoil}"), signers=[signer], blockhash=blockhash
    )
    raw = bytearray(signed.wire)
    if spoil == "signature":
        raw[9] ^= 1
    wire = base64.b64encode(raw).decode()
    if spoil == "again":
        ask("sendTransaction", wire, B64)

    error = ask.error("sendTransaction", wire, B64)

    assert error["code"] == -32002
    assert error["message"] == f"Transaction simulation failed: {words}"
    assert error["data"]["err"] == err
    # Without the trial run a cluster drops what pays no fee without a word.
    unseen = ask("sendTransaction", wire, {**B64, "skipPreflight": True})
    (status,) = ask("getSignatureStatuses", [unseen])["value"]
    assert (status is None) == (spoil not in ("again", "funds"))


@pytest.mark.parametrize(
    ("method", "params", "code", "words"),
    [
        ("nope", [], -32601, "Method not found"),
        ("getBalance", [], -32602, "`params` should have at least 1 argument(s)"),
        ("getBalance", ["x"], -32602, "Invalid param: WrongSize"),
        ("getBalance", ["0OIl"], -32602, "Invalid param: Invalid"),
        ("getBalance", [""], -32602, "Invalid param: Invalid"),
        ("getBalance", [5], -32602, "expected a string"),
        ("getBalance", [STRANGER, 5], -32602, "expected an object"),
        ("getBalance", [STRANGER, {"commitment": "sure"}], -32602, "commitment"),
        ("getBalance", [STRANGER, {"minContextSlot": 10**9}], -32016, "slot has not"),
        ("getBalance", [STRANGER, {"minContextSlot": "1"}], -32602, "expected u64"),
        ("getSlot", [{"minContextSlot": 10**9}], -32016, "Minimum context slot"),
        ("getBlockTime", [10**9], -32004, "Block not available for slot 1000000000"),
        ("getBlockTime", ["x"], -32602, "expected u64"),
        ("getBlockTime", [-1], -32602, "expected u64"),
        ("getBlockTime", [True], -32602, "expected u64"),
        ("getBlockTime", [], -32602, "at least 1 argument"),
        ("isBlockhashValid", ["x"], -32602, "WrongSize"),
        ("getMinimumBalanceForRentExemption", [11 * 2**20], -32600, "Invalid request"),
        ("getMinimumBalanceForRentExemption", [-1], -32602, "expected u64"),
        ("getRecentPrioritizationFees", [["x"]], -32602, "WrongSize"),
        ("getFeeForMessage", ["AQ=="], -32602, "decode"),
        ("getFeeForMessage", ["!!"], -32602, "decode"),
        ("getAccountInfo", [CONFIG, {"encoding": "hex"}], -32602, "unknown variant"),
        ("getAccountInfo", [CONFIG, {"encoding": "base58"}], -32600, "128 bytes"),
        ("getAccountInfo", [CONFIG, {"dataSlice": {"offset": 0}}], -32602, "length"),
        ("getAccountInfo", [CONFIG, {"dataSlice": 7}], -32602, "length"),
        ("getMultipleAccounts", [[STRANGER] * 101], -32602, "inputs provided; max 100"),
        ("getMultipleAccounts", ["x"], -32602, "expected a sequence"),
        ("getProgramAccounts", [PROGRAM, {"filters": 7}], -32602, "array"),
        ("getProgramAccounts", [PROGRAM, {"filters": [{"x": 1}]}], -32602, "unknown"),
        (
            "getProgramAccounts",
            [PROGRAM, {"filters": [{"dataSize": 1}] * 5}],
            -32602,
            "Too many filters provided; max 4",
        ),
        (
            "getProgramAccounts",
            [PROGRAM, {"filters": [{"memcmp": {"offset": 0, "bytes": "0"}}]}],
            -32602,
            "Invalid param",
        ),
        (
            "getProgramAccounts",
            [PROGRAM, {"filters": [{"memcmp": {"offset": 0, "bytes": "1" * 200}}]}],
            -32602,
            "DataTooLarge",
        ),
        (
            "getProgramAccounts",
            [
                PROGRAM,
                {"filters": [{"memcmp": {"bytes": "A", "encoding": "base64"}}]},
            ],
            -32602,
            "cannot be decoded",
        ),
        (
            "getProgramAccounts",
            [PROGRAM, {"filters": [{"memcmp": {"bytes": "A", "encoding": "hex"}}]}],
            -32602,
            "unknown variant",
        ),
        (
            "getProgramAccounts",
            [PROGRAM, {**B64, "withContext": 1}],
            -32602,
            "a boolean",
        ),
        ("getSignatureStatuses", [["x"]], -32602, "Invalid param: WrongSize"),
        ("getSignatureStatuses", [[7]], -32602, "expected a string"),
        ("getSignatureStatuses", [["0" * 64]], -32602, "Invalid param: Invalid"),
        ("getSignatureStatuses", [["1" * 1000]], -32602, "WrongSize"),
        ("getSignatureStatuses", [[NOWHERE] * 257], -32602, "inputs provided; max 256"),
        ("getTransaction", ["x"], -32602, "Invalid param: WrongSize"),
        ("getSignaturesForAddress", [STRANGER, {"limit": 0}], -32602, "max 1000"),
        ("getSignaturesForAddress", [STRANGER, {"limit": 1001}], -32602, "max 1000"),
        (
            "getSignaturesForAddress",
            [STRANGER, {"before": NOWHERE}],
            -32020,
            f"Transaction {NOWHERE} not found",
        ),
        ("sendTransaction", [], -32602, "at least 1 argument"),
        ("sendTransaction", ["x"], -32602, "decode"),
        ("sendTransaction", ["0"], -32602, "decode"),
        ("sendTransaction", ["AQ==", B64], -32602, "decode"),
        ("sendTransaction", ["!!", B64], -32602, "decode"),
        ("sendTransaction", ["AQ==", {"encoding": "hex"}], -32602, "unknown variant"),
        ("sendTransaction", ["A" * 4000, B64], -32602, "too large"),
        ("sendTransaction", ["A" * 9000, B64], -32602, "too large"),
        ("sendTransaction", ["2" * 9000], -32602, "encoded transaction too large"),
        ("simulateTransaction", ["AQ==", B64], -32602, "decode"),
        ("requestAirdrop", ["x", 1], -32602, "Invalid param: WrongSize"),
        ("requestAirdrop", [STRANGER, -1], -32602, "expected u64"),
        ("requestAirdrop", [STRANGER, 2**63], -32602, "at once"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(ask, method, params, code, words):
    error = ask.error(method, *params)

    assert error["code"] == code
    assert words in error["message"]


def test_what_is_unknown_is_null(ask):
    assert ask("getTransaction", NOWHERE) is None
    assert ask("getTransaction", NOWHERE, "base64") is None
    assert ask("getSignatureStatuses", [NOWHERE])["value"] == [None]
    assert ask("getSignaturesForAddress", STRANGER) == []


def test_options_that_contradict_each_other_are_refused(ask, rich):
    signed = ask.sign(create(rich, "both"), signers=[rich])
    wire = base64.b64encode(signed.wire).decode()
    both = {**B64, "sigVerify": True, "replaceRecentBlockhash": True}

    assert ask.error("simulateTransaction", wire, both)["code"] == -32602
    for accounts in ({"addresses": [STRANGER] * 11}, {}, 7, {"addresses": 7}):
        options = {**B64, "accounts": accounts}
        assert ask.error("simulateTransaction", wire, options)["code"] == -32602


def test_bytes_left_over_behind_a_transaction_are_refused(ask, rich):
    signed = ask.sign(create(rich, "long"), signers=[rich])
    wire = base64.b64encode(signed.wire + b"\0").decode()

    assert "decode" in ask.error("sendTransaction", wire, B64)["message"]
