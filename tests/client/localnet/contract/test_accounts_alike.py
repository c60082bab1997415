"""Accounts, and questions about a program's accounts."""

import base64

import base58
import pytest
from contract_chain import B64, CONFIRMED, NOBODY

from flair_client.chain.pdas import (
    PROGRAM_ID,
    UPGRADEABLE_LOADER_ID,
    find_program_data_pda,
)
from flair_client.chain.signer import KeypairSigner

LOADER = str(UPGRADEABLE_LOADER_ID)
PROGRAM = str(PROGRAM_ID)
# The kind of a program's account, and the whole size of one.
KIND = (2).to_bytes(4, "little")
HEAD = {"dataSlice": {"offset": 0, "length": 4}}


def programs(chain, *filters, **options):
    return chain.ask(
        "getProgramAccounts", LOADER, {**B64, **HEAD, **options, "filters": filters}
    )


def memcmp(content, **more):
    return {"memcmp": {"offset": 0, "bytes": content, **more}}


def test_an_account_comes_with_these_fields(chain, rich):
    found = chain.ask("getAccountInfo", str(rich.address), B64)

    assert set(found) == {"context", "value"}
    assert set(found["context"]) == {"apiVersion", "slot"}
    value = found["value"]
    assert value.pop("lamports") > 0
    assert value == {
        "data": ["", "base64"],
        "executable": False,
        "owner": "1" * 32,
        "rentEpoch": 2**64 - 1,
        "space": 0,
    }


def test_no_account_is_null(chain):
    nobody = str(KeypairSigner.generate().address)

    assert chain.ask("getAccountInfo", nobody, B64)["value"] is None
    assert chain.ask("getBalance", nobody, CONFIRMED)["value"] == 0
    both = chain.ask("getMultipleAccounts", [nobody, PROGRAM], CONFIRMED)["value"]
    assert both[0] is None
    # Without an encoding several accounts come in base64, one in base58.
    assert both[1]["data"][1] == "base64"
    one = chain.ask("getAccountInfo", PROGRAM, CONFIRMED)["value"]["data"]
    assert base58.b58decode(one) == base64.b64decode(both[1]["data"][0])


def test_a_slice_of_an_account_keeps_its_size(chain):
    where = str(find_program_data_pda()[0])
    part = {"dataSlice": {"offset": 1, "length": 3}}

    value = chain.ask("getAccountInfo", where, {**B64, **part})["value"]

    assert base64.b64decode(value["data"][0]) == b"\0\0\0"
    assert value["space"] > 100_000
    short = {"encoding": "base58", **CONFIRMED, **part}
    data = chain.ask("getAccountInfo", where, short)["value"]["data"]
    assert data == [base58.b58encode(b"\0\0\0").decode(), "base58"]
    whole = chain.error("getAccountInfo", where, {"encoding": "base58", **CONFIRMED})
    assert whole["code"] == -32600
    assert whole["message"] == (
        "Encoded binary (base 58) data should be less than 128 bytes, please use "
        "Base64 encoding."
    )


def test_a_program_s_accounts_are_found_by_bytes_and_size(chain):
    found = programs(chain, {"dataSize": 36})

    assert PROGRAM in [one["pubkey"] for one in found]
    for one in found:
        assert set(one) == {"account", "pubkey"}
        assert one["account"]["space"] == 36
        assert base64.b64decode(one["account"]["data"][0]) == KIND
    by_bytes = [
        programs(chain, memcmp(base58.b58encode(KIND).decode()), {"dataSize": 36}),
        programs(
            chain,
            memcmp(base64.b64encode(KIND).decode(), encoding="base64"),
            {"dataSize": 36},
        ),
        programs(chain, memcmp(list(KIND), encoding="bytes"), {"dataSize": 36}),
        programs(chain, memcmp(list(KIND)), {"dataSize": 36}),
    ]
    assert by_bytes == [found] * 4
    framed = programs(chain, {"dataSize": 36}, withContext=True)
    assert framed["value"] == found


def test_filters_that_nothing_passes_find_nothing(chain):
    assert programs(chain, {"dataSize": 37}) == []
    assert programs(chain, {"tokenAccountState": None}) == []
    beyond = {"memcmp": {"offset": 10**6, "bytes": "2"}}
    assert programs(chain, {"dataSize": 36}, beyond) == []


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([{"dataSize": 36}] * 5, "Too many filters provided; max 4"),
        ([{"size": 36}], "Invalid params: unknown"),
        ([memcmp("2" * 200)], "Invalid param: DataTooLarge"),
        (
            [memcmp(base64.b64encode(bytes(129)).decode(), encoding="base64")],
            "Invalid param: DataTooLarge",
        ),
        ([memcmp([0] * 129)], "Invalid param: DataTooLarge"),
        ([memcmp("0O")], "Invalid param: "),
        ([memcmp("!", encoding="base64")], "Invalid param: "),
        ([memcmp("00", encoding="hex")], "Invalid params: unknown variant "),
        ([memcmp([256])], "Invalid params: "),
        (7, "Invalid params: "),
    ],
)
def test_filters_that_are_none_are_refused(chain, filters, message):
    options = {**B64, "filters": filters}

    error = chain.error("getProgramAccounts", LOADER, options)

    assert error["code"] == -32602
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("x0", "Invalid param: Invalid"),
        ("abc", "Invalid param: WrongSize"),
        (NOBODY, "Invalid param: WrongSize"),
        (7, "Invalid params: "),
    ],
)
@pytest.mark.parametrize("method", ["getAccountInfo", "getProgramAccounts"])
def test_what_is_no_address_is_refused(chain, method, address, message):
    error = chain.error(method, address)

    assert error["code"] == -32602
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    "options",
    [
        {"encoding": "hex"},
        {**B64, "dataSlice": {"offset": 1}},
        {**B64, "minContextSlot": "1"},
    ],
)
def test_options_that_mean_nothing_are_refused(chain, options):
    assert chain.error("getAccountInfo", PROGRAM, options)["code"] == -32602


def test_more_than_a_hundred_accounts_at_once_are_refused(chain):
    error = chain.error("getMultipleAccounts", [PROGRAM] * 101, B64)

    assert (error["code"], error["message"]) == (
        -32602,
        "Too many inputs provided; max 100",
    )


def test_a_slot_that_is_not_reached_is_told_with_the_one_that_is(chain):
    error = chain.error("getAccountInfo", PROGRAM, {**B64, "minContextSlot": 10**9})

    slot = error["data"].pop("contextSlot")
    assert error == {
        "code": -32016,
        "message": "Minimum context slot has not been reached",
        "data": {},
    }
    assert 0 <= slot <= chain.ask("getSlot", {"commitment": "processed"})
