"""Lamports sent to an address beforehand keep nobody from making an account there."""

import pytest
from program_harness.calls import CALLS
from program_harness.protocol import ACCOUNTS, PROGRAM_ID
from program_harness.tampering import CREATED, KINDS
from program_harness.world import make_place

MADE = sorted(set(CREATED) & set(CALLS))


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("lamports", [1, 50_000_000])
def test_an_account_is_made_where_lamports_lie(name: str, lamports: int):
    place = make_place()
    call = CALLS[name](place)
    made = call.accounts[CREATED[name]]
    assert made is not None
    # The runtime lets no account keep less than its rent: written by hand.
    place.chain.put(made, data=b"", lamports=lamports)
    place.chain.put(made, owner=call.accounts["system"])

    place.chain.send(call)

    account = place.chain.svm.get_account(made)
    size = ACCOUNTS[KINDS[CREATED[name]]].size + 8
    assert account is not None
    assert (account.owner, len(account.data)) == (PROGRAM_ID, size)
    assert account.lamports >= max(place.chain.rent(size), lamports)
