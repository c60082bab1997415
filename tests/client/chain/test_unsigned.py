"""Transactions that are signed elsewhere: what may come back, and what may not."""

import importlib.util
import json
from pathlib import Path

import pytest
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction

from flair_client.chain.instructions import authority_offer, role_grant
from flair_client.chain.transactions import _to_wire
from flair_client.chain.unsigned import (
    check_signed,
    describe,
    unsigned_message,
    without_signatures,
)
from flair_client.errors import ObjectInvalid, SignatureInvalid, UsageError
from flair_client.ids import Address

VECTORS = Path(__file__).parents[2] / "vectors"
KEY = Keypair.from_seed(bytes([1]) * 32)
WALLET = Address(bytes(KEY.pubkey()))
REPO, OTHER = Address(bytes([5]) * 32), Address(bytes([6]) * 32)
BLOCKHASH = str(Address(bytes([9]) * 32))
OFFER = authority_offer(authority=WALLET, repo=REPO, new_authority=OTHER)


def wire_of(*instructions, key=KEY, payer=KEY):
    message = Message.new_with_blockhash(
        list(instructions), payer.pubkey(), Hash.from_string(BLOCKHASH)
    )
    signature = key.sign_message(bytes(message))
    return bytes(Transaction.populate(message, [signature]))


def asked():
    return unsigned_message([OFFER], WALLET, BLOCKHASH)


def test_vectors_are_what_the_client_writes():
    path = VECTORS / "make_signing.py"
    spec = importlib.util.spec_from_file_location("make_signing", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert json.loads((VECTORS / "signing.json").read_text()) == module.make()


def test_what_was_asked_for_and_signed_is_taken():
    wire = wire_of(_to_wire(OFFER))

    assert check_signed(wire, asked()) == str(
        Transaction.from_bytes(wire).signatures[0]
    )


def test_a_fee_that_the_wallet_adds_is_taken():
    wire = wire_of(set_compute_unit_limit(200_000), _to_wire(OFFER))

    check_signed(wire, asked())


@pytest.mark.parametrize(
    ("instructions", "words"),
    [
        ([_to_wire(OFFER), _to_wire(OFFER)], "was not asked for"),
        ([], "missing or was changed"),
        (
            [
                _to_wire(
                    authority_offer(authority=WALLET, repo=REPO, new_authority=WALLET)
                )
            ],
            "was not asked for",
        ),
        (
            [
                _to_wire(OFFER),
                transfer(
                    TransferParams(
                        from_pubkey=KEY.pubkey(),
                        to_pubkey=Pubkey.from_bytes(OTHER.raw),
                        lamports=1,
                    )
                ),
            ],
            "was not asked for",
        ),
    ],
)
def test_anything_else_that_comes_back_is_refused(instructions, words):
    with pytest.raises(ObjectInvalid, match=words):
        check_signed(wire_of(*instructions), asked())


def test_another_payer_is_refused():
    other = Keypair.from_seed(bytes([2]) * 32)
    moved = authority_offer(
        authority=Address(bytes(other.pubkey())), repo=REPO, new_authority=OTHER
    )

    with pytest.raises(ObjectInvalid, match="others sign"):
        check_signed(wire_of(_to_wire(moved), key=other, payer=other), asked())


def test_a_missing_signature_is_refused():
    with pytest.raises(SignatureInvalid, match="has not signed"):
        check_signed(without_signatures(asked()), asked())


def test_a_wrong_signature_is_refused():
    message = Message.from_bytes(asked())
    wrong = Signature.from_bytes(bytes(KEY.sign_message(b"something else")))

    with pytest.raises(SignatureInvalid):
        check_signed(bytes(Transaction.populate(message, [wrong])), asked())


def test_more_than_fits_is_refused_before_anybody_signs():
    with pytest.raises(UsageError, match="1232"):
        unsigned_message([OFFER] * 24, WALLET, BLOCKHASH)


def test_an_account_that_is_left_out_has_no_address():
    made = role_grant(
        payer=WALLET, actor=WALLET, repo=REPO, grantee=OTHER, scope=3, expires_at=0
    )

    told = describe(made)

    assert dict(told.accounts)["role"] is None
    assert told.args == {"grantee": str(OTHER), "scope": "3", "expires_at": "0"}
