"""The chain as a whole, and requests of the wrong shape."""

import base58
import pytest
from contract_chain import CONFIRMED, NOBODY

from flair_client.chain.pdas import PROGRAM_ID

PROGRAM = str(PROGRAM_ID)


def test_a_blockhash_holds_for_150_blocks(chain):
    found = chain.ask("getLatestBlockhash", CONFIRMED)["value"]
    height = chain.ask("getBlockHeight", CONFIRMED)

    assert set(found) == {"blockhash", "lastValidBlockHeight"}
    # A block or two may have come in between, and 150 is counted from its own.
    assert 100 < found["lastValidBlockHeight"] - height <= 151
    blockhash = found["blockhash"]
    assert chain.ask("isBlockhashValid", blockhash, CONFIRMED)["value"] is True
    assert chain.ask("isBlockhashValid", "1" * 32, CONFIRMED)["value"] is False


def test_time_goes_on(chain):
    info = chain.ask("getEpochInfo", CONFIRMED)

    assert set(info) == {
        "absoluteSlot",
        "blockHeight",
        "epoch",
        "slotIndex",
        "slotsInEpoch",
        "transactionCount",
    }
    assert info["absoluteSlot"] <= chain.ask("getSlot", {"commitment": "processed"})
    assert chain.ask("getBlockTime", 0) > 1_700_000_000


def test_this_chain_has_all_its_history_and_runs_no_alpenglow(chain):
    assert chain.ask("getAgGenesisCert") is None
    assert chain.ask("getFirstAvailableBlock") == 0
    assert chain.ask("minimumLedgerSlot") == 0


def test_what_the_chain_is(chain):
    assert len(base58.b58decode(chain.ask("getGenesisHash"))) == 32
    assert set(chain.ask("getVersion")) == {"feature-set", "solana-core"}
    assert chain.ask("getHealth") == "ok"
    fees = chain.ask("getRecentPrioritizationFees", [PROGRAM])
    assert all(set(one) == {"prioritizationFee", "slot"} for one in fees)
    assert chain.ask("getMinimumBalanceForRentExemption", 0) * 228 == (
        128 * chain.ask("getMinimumBalanceForRentExemption", 100)
    )


@pytest.mark.parametrize(
    ("method", "params", "code", "message"),
    [
        ("nope", [], -32601, "Method not found"),
        ("getHealth", [1], -32602, "Invalid parameters: No parameters were expected"),
        (
            "getSlot",
            [CONFIRMED, 2],
            -32602,
            "Invalid parameters: Expected from 0 to 1 parameters.",
        ),
        (
            "getBalance",
            [PROGRAM, CONFIRMED, 3],
            -32602,
            "Invalid parameters: Expected from 1 to 2 parameters.",
        ),
        ("getBalance", [], -32602, "`params` should have at least 1 argument(s)"),
        ("getLatestBlockhash", [7], -32602, "Invalid params: "),
        ("isBlockhashValid", ["x"], -32602, ""),
        ("getBlockTime", [10**9], -32004, "Block not available for slot 1000000000"),
        ("getMinimumBalanceForRentExemption", [10**9], -32600, "Invalid request"),
        ("getMinimumBalanceForRentExemption", [-1], -32602, "Invalid params: "),
        ("getRecentPrioritizationFees", [["x"]], -32602, "Invalid param: WrongSize"),
        (
            "getRecentPrioritizationFees",
            [[PROGRAM] * 129],
            -32602,
            "Too many inputs provided; max 128",
        ),
        ("requestAirdrop", ["x", 1], -32602, "Invalid param: WrongSize"),
        ("requestAirdrop", [PROGRAM, -1], -32602, "Invalid params: "),
        ("getFeeForMessage", ["!"], -32602, ""),
        ("getFeeForMessage", [NOBODY], -32602, ""),
    ],
)
def test_a_request_of_the_wrong_shape_is_refused(chain, method, params, code, message):
    error = chain.error(method, *params)

    assert error["code"] == code
    assert error["message"].startswith(message)
