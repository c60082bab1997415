"""Transactions of versions 0 and 1: what their headers allow, and who may see them."""

import pytest
from contract_chain import CONFIRMED, SOL

from flair_client.chain.signer import KeypairSigner

# Enough for every transaction of these tests.
WIDE = {"compute_unit_limit": 20_000, "loaded_accounts_data_size_limit": 65_536}


@pytest.fixture
def target():
    return KeypairSigner.generate().address


@pytest.mark.parametrize(("version", "config"), [(0, {}), (1, WIDE)])
def test_a_versioned_transaction_is_shown_to_who_knows_of_it(
    chain, wallet, target, version, config
):
    signature = chain.send(
        chain.sign_version(wallet, target, version=version, **config)
    )

    assert chain.confirm(signature)["err"] is None
    found = chain.transaction(signature)
    assert found["version"] == version
    error = chain.error("getTransaction", signature, CONFIRMED)
    assert error["code"] == -32015
    assert error["message"] == (
        f"Transaction version ({version}) is not supported by the requesting client. "
        "Please try the request again with the following configuration parameter: "
        f'"maxSupportedTransactionVersion": {version}'
    )


def test_version_1_shows_its_header(chain, wallet, target):
    wire = chain.sign_version(wallet, target, version=1, priority_fee=700, **WIDE)

    signature = chain.send(wire)

    assert chain.confirm(signature)["err"] is None
    found = chain.transaction(signature)
    message = found["transaction"]["message"]
    assert message["transactionConfig"] == {
        "computeUnitLimit": 20_000,
        "heapSize": None,
        "loadedAccountsDataSizeLimit": 65_536,
        "priorityFee": 700,
    }
    assert "addressTableLookups" not in message
    # The fee of the header is lamports, on top of the signature's.
    meta = found["meta"]
    assert meta["fee"] == 5700
    before, after = meta["preBalances"][0], meta["postBalances"][0]
    assert before - after == 5700 + SOL // 100


def test_version_1_may_be_longer_than_others(chain, wallet, target):
    wire = chain.sign_version(wallet, target, version=1, n=60, **WIDE)

    assert len(wire) > 1232
    signature = chain.send(wire)
    assert chain.confirm(signature)["err"] is None
    assert chain.transaction(signature)["meta"]["computeUnitsConsumed"] == 60 * 150


@pytest.mark.parametrize("limit", [None, 100])
def test_version_1_loads_no_more_than_its_header_says(chain, wallet, target, limit):
    wire = chain.sign_version(
        wallet,
        target,
        version=1,
        compute_unit_limit=20_000,
        loaded_accounts_data_size_limit=limit,
    )
    err = "MaxLoadedAccountsDataSizeExceeded"

    error = chain.refusal(wire)
    assert error["data"]["err"] == err
    assert error["message"] == (
        "Transaction simulation failed: Transaction exceeded max loaded accounts data "
        "size cap"
    )

    signature = chain.send(wire, skipPreflight=True)
    assert chain.confirm(signature)["err"] == err
    meta = chain.transaction(signature)["meta"]
    assert (meta["fee"], meta["computeUnitsConsumed"]) == (5000, 0)
    assert (meta["logMessages"], meta["innerInstructions"]) == (None, None)
    assert meta["preBalances"][0] - meta["postBalances"][0] == 5000


def test_version_1_computes_no_more_than_its_header_says(chain, wallet, target):
    wire = chain.sign_version(
        wallet, target, version=1, loaded_accounts_data_size_limit=65_536
    )
    err = {"InstructionError": [0, "ComputationalBudgetExceeded"]}

    assert chain.simulate(wire)["err"] == err
    signature = chain.send(wire, skipPreflight=True)

    assert chain.confirm(signature)["err"] == err
    meta = chain.transaction(signature)["meta"]
    assert (meta["fee"], meta["computeUnitsConsumed"]) == (5000, 0)
    system = "1" * 32
    assert meta["logMessages"] == [
        f"Program {system} invoke [1]",
        f"Program {system} failed: Computational budget exceeded",
    ]
