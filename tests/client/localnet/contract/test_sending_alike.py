"""Transactions that are taken, tried out, refused, and that fail."""

import base64

import pytest
from contract_chain import B64, CONFIRMED, SEND, SOL, give

from flair_client.chain.instructions import Instruction, repo_create
from flair_client.chain.signer import KeypairSigner
from flair_client.ids import Address

# What a trial run tells, beside its error.
TRIED = {
    "accounts",
    "err",
    "fee",
    "innerInstructions",
    "loadedAccountsDataSize",
    "loadedAddresses",
    "logs",
    "postBalances",
    "postTokenBalances",
    "preBalances",
    "preTokenBalances",
    "replacementBlockhash",
    "returnData",
    "unitsConsumed",
}
OLD = "1" * 32


@pytest.fixture
def target():
    return KeypairSigner.generate().address


def create(signer, name="heart"):
    return repo_create(
        payer=signer.address, creator=signer.address, name=name, points_per_merge=1
    )


def spoiled(wire):
    return wire[:5] + bytes([wire[5] ^ 1]) + wire[6:]


def test_a_simulation_comes_with_these_fields(chain, rich):
    payer, system = str(rich.address), "1" * 32
    held = chain.ask("getBalance", payer, CONFIRMED)["value"]
    target = KeypairSigner.generate()
    chain.pay(rich, target.address)
    gift = SOL // 100

    found = chain.simulate(chain.sign(rich, give(rich.address, target.address)))

    assert set(found) == TRIED
    assert found == {
        **found,
        "accounts": None,
        "err": None,
        "fee": 5000,
        "innerInstructions": None,
        # Three accounts, and the name that the system program has for data.
        "loadedAccountsDataSize": 3 * 64 + 21,
        "loadedAddresses": {"readonly": [], "writable": []},
        "logs": [f"Program {system} invoke [1]", f"Program {system} success"],
        "postTokenBalances": [],
        "preTokenBalances": [],
        "replacementBlockhash": None,
        "returnData": None,
        "unitsConsumed": 150,
    }
    paid = held - gift - 5000
    assert found["preBalances"] == [paid, gift, 1]
    assert found["postBalances"] == [paid - gift - 5000, 2 * gift, 1]


def test_a_call_of_the_program_loads_and_costs_the_same(chain, wallet):
    found = chain.simulate(chain.sign(wallet, create(wallet)), innerInstructions=True)

    assert (found["err"], found["fee"]) == (None, 5000)
    # The address of a repository is another for each wallet, so the search costs.
    assert found["unitsConsumed"] > 1000
    assert len(found["innerInstructions"]) == 1
    calls = found["innerInstructions"][0]["instructions"]
    assert all("stackHeight" in call for call in calls)
    sizes = [
        len(base64.b64decode(one["data"][0]))
        for one in chain.ask(
            "getMultipleAccounts",
            [str(one.address) for one in create(wallet).accounts],
            CONFIRMED,
        )["value"]
        if one
    ]
    assert found["loadedAccountsDataSize"] > max(sizes)


def test_a_simulation_with_another_blockhash_says_which(chain, rich, target):
    wire = chain.sign(rich, give(rich.address, target), blockhash=OLD)

    assert chain.simulate(wire)["err"] == "BlockhashNotFound"
    found = chain.simulate(wire, replaceRecentBlockhash=True)
    assert found["err"] is None
    assert set(found["replacementBlockhash"]) == {"blockhash", "lastValidBlockHeight"}


def test_a_simulation_shows_the_accounts_that_are_asked_for(chain, rich, target):
    wire = chain.sign(rich, give(rich.address, target))
    wanted = {"encoding": "base64", "addresses": [str(target)]}

    (shown,) = chain.simulate(wire, accounts=wanted)["accounts"]

    assert shown["lamports"] == SOL // 100
    text = base64.b64encode(wire).decode()
    wanted = {"encoding": "base58", "addresses": [str(target)]}
    error = chain.error("simulateTransaction", text, {**B64, "accounts": wanted})
    assert (error["code"], error["message"]) == (
        -32602,
        "base58 encoding not supported",
    )


def test_a_false_signature_is_told_where_it_is_checked(chain, rich, target):
    wire = spoiled(chain.sign(rich, give(rich.address, target)))

    assert chain.simulate(wire)["err"] is None
    found = chain.simulate(wire, sigVerify=True)
    assert (found["err"], found["preBalances"]) == ("SignatureFailure", None)
    assert set(found) == TRIED
    error = chain.refusal(wire)
    assert error["code"] == -32002
    assert error["message"] == (
        "Transaction simulation failed: Transaction did not pass signature verification"
    )


@pytest.mark.parametrize(
    ("blockhash", "err", "words"),
    [
        (OLD, "BlockhashNotFound", "Blockhash not found"),
        (
            None,
            {"InstructionError": [0, {"Custom": 6008}]},
            "Error processing Instruction 0: custom program error: 0x1778",
        ),
    ],
)
def test_a_refusal_before_sending_says_why(chain, rich, blockhash, err, words):
    wire = chain.sign(rich, create(rich, "Bad Name"), blockhash=blockhash)

    error = chain.refusal(wire)

    assert error["code"] == -32002
    assert error["message"] == f"Transaction simulation failed: {words}"
    assert set(error["data"]) == TRIED
    assert error["data"]["err"] == err
    assert error["data"]["loadedAddresses"] is None
    assert error["data"]["preBalances"] is None


def test_the_same_bytes_take_effect_once(chain, rich, target):
    wire = chain.sign(rich, give(rich.address, target))

    signature = chain.send(wire)
    assert chain.confirm(signature)["err"] is None

    error = chain.refusal(wire)
    assert (error["code"], error["data"]["err"]) == (-32002, "AlreadyProcessed")
    # Without a trial run nobody objects; nothing happens all the same.
    assert chain.send(wire, skipPreflight=True) == signature
    assert chain.ask("getBalance", str(target), CONFIRMED)["value"] == SOL // 100


def test_a_transaction_that_fails_costs_its_fee_and_keeps_its_error(chain, wallet):
    wire = chain.sign(wallet, create(wallet, "Bad Name"))
    err = {"InstructionError": [0, {"Custom": 6008}]}

    signature = chain.send(wire, skipPreflight=True)

    status = chain.confirm(signature)
    assert (status["err"], status["status"]) == (err, {"Err": err})
    found = chain.transaction(signature)["meta"]
    assert (found["err"], found["fee"]) == (err, 5000)
    before, after = found["preBalances"][0], found["postBalances"][0]
    assert before - after == 5000
    assert found["logMessages"]


def test_a_transaction_that_cannot_be_loaded_costs_its_fee_and_says_nothing(
    chain, wallet
):
    nothing = Instruction(Address(b"\7" * 32), (), b"", "nothing")

    signature = chain.send(chain.sign(wallet, nothing), skipPreflight=True)

    assert chain.confirm(signature)["err"] == "ProgramAccountNotFound"
    meta = chain.transaction(signature)["meta"]
    assert (meta["fee"], meta["computeUnitsConsumed"]) == (5000, 0)
    assert meta["logMessages"] is None
    assert meta["innerInstructions"] is None


def test_who_has_nothing_pays_for_nothing(chain, target):
    poor = KeypairSigner.generate()
    wire = chain.sign(poor, give(poor.address, target))

    error = chain.refusal(wire)

    assert error["data"]["err"] == "AccountNotFound"
    assert error["message"] == (
        "Transaction simulation failed: Attempt to debit an account but found no "
        "record of a prior credit."
    )


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("!!!", SEND),
        ("0OIl", CONFIRMED),
        ("AAAA", SEND),
        ("", SEND),
        ("A" * 9000, SEND),
        ("A" * 3000, SEND),
        ("AAAA", {"encoding": "hex"}),
        (7, SEND),
    ],
)
def test_what_is_no_transaction_is_refused(chain, text, options):
    assert chain.error("sendTransaction", text, options)["code"] == -32602
    assert chain.error("simulateTransaction", text, options)["code"] == -32602


def test_options_that_contradict_each_other_are_refused(chain, rich, target):
    wire = chain.sign(rich, give(rich.address, target))
    both = {**B64, "sigVerify": True, "replaceRecentBlockhash": True}

    error = chain.error("simulateTransaction", base64.b64encode(wire).decode(), both)

    assert (error["code"], error["message"]) == (
        -32602,
        "sigVerify may not be used with replaceRecentBlockhash",
    )
