"""What was closed stays closed, though somebody gives it lamports at once.

Within a transaction an account without lamports still exists; a transfer would keep
it alive, with whatever data the closing instruction left.
"""

from collections.abc import Callable, Mapping
from typing import Final

import pytest
from program_harness.call import SYSTEM_ID, Call
from program_harness.calls import CALLS
from program_harness.refusal import TOO_SMALL
from program_harness.world import Place, make_place
from solders.system_program import TransferParams, transfer

# What each closes.
CLOSED: Final[Mapping[str, str]] = {
    "role_revoke": "old_role",
    "invite_revoke": "invite",
    "invite_redeem": "invite",
    "join_close": "request",
    "delegation_revoke": "delegation",
    "round_abort": "round",
    "update_withdraw": "update",
    "update_expire": "update",
    "update_settle": "update",
    "merge_finalize": "candidate",
    "merge_expire": "candidate",
    "attestation_expire": "attestation",
}


def revived(place: Place, call: Call) -> list:
    """The call, and lamports for what it closes."""
    closed = call.accounts[CLOSED[call.name]]
    assert closed is not None
    gift = TransferParams(
        from_pubkey=place.chain.sponsor.pubkey(),
        to_pubkey=closed,
        lamports=50_000_000,
    )
    return [call, transfer(gift)]


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_account_is_not_revived_by_lamports(name: str):
    place = make_place()
    call = CALLS[name](place)
    closed = call.accounts[CLOSED[name]]
    assert closed is not None

    place.chain.send(*revived(place, call))

    account = place.chain.svm.get_account(closed)
    assert account is not None
    assert (account.owner, account.data) == (SYSTEM_ID, b"")


SCENES: Final[Mapping[str, Callable[[Place], Call]]] = {
    "role_revoke": lambda place: place.role_revoke("a"),
    "invite_revoke": lambda place: place.invite_revoke("key"),
    "join_close": lambda place: place.join_close("a"),
    "delegation_revoke": lambda place: place.delegation_revoke("a", "machine"),
}


@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_closed_twice_though_it_was_given_lamports(name: str):
    place = make_place()
    call = CALLS[name](place)

    place.chain.expect_refusal(
        SCENES[name](place), TOO_SMALL, before=revived(place, call)
    )


def test_a_spent_invite_is_not_redeemed_again_though_it_was_given_lamports():
    place = make_place()
    call = CALLS["invite_redeem"](place)
    again = place.invite_redeem("key", "b")

    place.chain.expect_refusal(again, TOO_SMALL, before=revived(place, call))


def test_a_revoked_delegation_lets_nobody_push_though_it_was_given_lamports():
    place = make_place().opened()
    place.chain.send(place.delegation_create("a", "machine"))
    revoke = place.delegation_revoke("a", "machine")
    push = place.update_push("a", by="machine")

    place.chain.expect_refusal(push, "IllegalOwner", before=revived(place, revoke))
