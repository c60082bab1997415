"""What became of transactions, one by one and page by page."""

import pytest
from contract_chain import CONFIRMED, NOBODY

from flair_client.chain.signer import KeypairSigner

UNKNOWN = f"Transaction {NOBODY} not found"


@pytest.fixture(scope="module")
def paid(chain, rich):
    """An address with four transactions, newest first."""
    target = KeypairSigner.generate().address
    signatures = [chain.pay(rich, target, 10**7 + n) for n in range(4)]
    return str(target), signatures[::-1]


def history(chain, address, **options):
    return chain.ask("getSignaturesForAddress", address, {**CONFIRMED, **options})


def signatures(chain, address, **options):
    return [one["signature"] for one in history(chain, address, **options)]


def test_the_newest_comes_first_with_these_fields(chain, paid):
    address, sent = paid
    found = history(chain, address)

    assert [one["signature"] for one in found] == sent
    for one in found:
        assert set(one) == {
            "blockTime",
            "confirmationStatus",
            "err",
            "memo",
            "signature",
            "slot",
            "transactionIndex",
        }
        assert one["confirmationStatus"] in ("confirmed", "finalized")
        assert (one["err"], one["memo"]) == (None, None)
    assert [one["slot"] for one in found] == sorted(
        (one["slot"] for one in found), reverse=True
    )


def test_pages_go_back_by_before_and_end_at_until(chain, paid):
    address, (d, c, b, a) = paid

    assert signatures(chain, address, limit=2) == [d, c]
    assert signatures(chain, address, limit=2, before=c) == [b, a]
    assert signatures(chain, address, before=a) == []
    assert signatures(chain, address, until=b) == [d, c]
    assert signatures(chain, address, before=d, until=a) == [c, b]
    assert signatures(chain, address, before=c, until=c) == []
    # Asked the wrong way round there is nothing in between.
    assert signatures(chain, address, before=b, until=c) == []


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"limit": 0}, -32602, "Invalid limit; max 1000"),
        ({"limit": 1001}, -32602, "Invalid limit; max 1000"),
        ({"limit": "a"}, -32602, "Invalid params: "),
        ({"before": NOBODY}, -32020, UNKNOWN),
        ({"until": NOBODY}, -32020, UNKNOWN),
        ({"before": "xyz"}, -32602, "Invalid param: WrongSize"),
        ({"until": "xyz"}, -32602, "Invalid param: WrongSize"),
        (
            {"commitment": "processed"},
            -32602,
            "Method does not support commitment below `confirmed`",
        ),
        (
            {"minContextSlot": 10**9},
            -32016,
            "Minimum context slot has not been reached",
        ),
    ],
)
def test_pages_that_cannot_be_are_refused(chain, paid, options, code, message):
    given = {**CONFIRMED, **options}

    error = chain.error("getSignaturesForAddress", paid[0], given)

    assert error["code"] == code
    assert error["message"].startswith(message)


def test_an_address_without_history_has_none(chain):
    assert history(chain, str(KeypairSigner.generate().address)) == []


def test_a_transaction_comes_with_these_fields(chain, paid):
    found = chain.transaction(paid[1][0])

    assert set(found) == {
        "blockTime",
        "meta",
        "slot",
        "transaction",
        "transactionIndex",
        "version",
    }
    meta = found["meta"]
    # How much of a block it took says nothing to a client: left out by the localnet.
    assert set(meta) - {"costUnits"} == {
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
    assert (meta["fee"], meta["computeUnitsConsumed"]) == (5000, 150)
    assert meta["logMessages"] == [f"Program {'1' * 32} {end}" for end in ENDS]
    assert found["version"] == "legacy"
    message = found["transaction"]["message"]
    assert set(message) == {"accountKeys", "header", "instructions", "recentBlockhash"}
    assert set(message["instructions"][0]) == {
        "accounts",
        "data",
        "programIdIndex",
        "stackHeight",
    }


ENDS = ("invoke [1]", "success")


def test_a_version_is_told_to_those_alone_who_ask_for_versions(chain, paid):
    plain = chain.ask("getTransaction", paid[1][0], CONFIRMED)

    assert "version" not in plain
    assert chain.transaction(paid[1][0], encoding="base64")["version"] == "legacy"


def test_a_transaction_below_confirmed_is_refused(chain, paid):
    error = chain.error("getTransaction", paid[1][0], {"commitment": "processed"})

    assert (error["code"], error["message"]) == (
        -32602,
        "Method does not support commitment below `confirmed`",
    )


def test_an_unknown_transaction_is_null(chain):
    assert chain.ask("getTransaction", NOBODY, CONFIRMED) is None
    assert chain.ask("getSignatureStatuses", [NOBODY])["value"] == [None]


@pytest.mark.parametrize("signature", ["xyz", "0" * 88, 7])
def test_what_is_no_signature_is_refused(chain, signature):
    assert chain.error("getTransaction", signature)["code"] == -32602
    assert chain.error("getSignatureStatuses", [signature])["code"] == -32602


def test_a_status_comes_with_these_fields(chain, paid):
    (status,) = chain.ask("getSignatureStatuses", [paid[1][0]])["value"]

    assert set(status) == {
        "confirmationStatus",
        "confirmations",
        "err",
        "slot",
        "status",
    }
    assert (status["err"], status["status"]) == (None, {"Ok": None})
    error = chain.error("getSignatureStatuses", [NOBODY] * 257)
    assert (error["code"], error["message"]) == (
        -32602,
        "Too many inputs provided; max 256",
    )
