"""Transactions as a sponsor gets them: signed by all others."""

from dataclasses import dataclass

import pytest

from flair_client.chain.signer import KeypairSigner
from flair_client.chain.transactions import sign_transaction

SPONSOR = KeypairSigner(bytes([40]) * 32)
BLOCKHASH = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"


class Asked(Exception):
    """The sponsor was asked to sign."""


@dataclass
class Listener:
    """Stands in the sponsor's place and keeps what it is asked."""

    address = SPONSOR.address

    def sign(self, message):
        raise AssertionError(f"asked to sign the bare message {message!r}")

    def cosign(self, wire):
        raise Asked(wire)


def wire_of(*steps, signers, compute_units=None):
    """Gives the bytes that the sponsor is asked to sign."""
    with pytest.raises(Asked) as caught:
        sign_transaction(
            steps, [Listener(), *signers], BLOCKHASH, compute_units=compute_units
        )
    return caught.value.args[0]
