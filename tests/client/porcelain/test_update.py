import pytest

from flair_client.chain.accounts import UpdateStatus
from flair_client.chain.pdas import find_update_pda
from flair_client.errors import AccountMissing
from flair_client.porcelain.update import (
    RejectReason,
    reason_name,
    update_list,
    update_reject,
    update_show,
    update_withdraw,
)
from flair_client.testing import (
    ADDRESS,
    ADMIN,
    ALICE,
    BOB,
    OWNER,
    make_branch,
    make_round,
    make_update,
)


@pytest.fixture
def busy(chain):
    """Round 1 in progress with two updates."""
    chain.round_accounts.append(make_round(1))
    chain.update_accounts += [
        make_update(ALICE, 2),
        make_update(BOB, 8, status=UpdateStatus.REJECTED, reject_reason=9),
    ]
    return chain


def test_the_list_is_in_the_order_of_summing(busy, as_):
    listed = update_list(as_(), ADDRESS, "main")

    assert [item.contributor for item in listed.updates] == [BOB.address, ALICE.address]
    assert [item.reject_reason for item in listed.updates] == ["outlier", None]


def test_show_gives_one_contributors(busy, as_):
    shown = update_show(as_(), ADDRESS, "main", ALICE.address)

    assert shown.update.weight == 2
    assert shown.round_index == 1


def test_a_contributor_without_an_update_is_named(busy, as_):
    with pytest.raises(AccountMissing, match=f"{ADMIN.address} in round 1"):
        update_show(as_(), ADDRESS, "main", ADMIN.address)
    with pytest.raises(AccountMissing):
        update_withdraw(as_(ADMIN), ADDRESS, "main")
    with pytest.raises(AccountMissing):
        update_reject(as_(OWNER), ADDRESS, "main", ADMIN.address, RejectReason.NORM)
    assert busy.sent == []


def test_reject_sends_the_public_code(busy, as_):
    done = update_reject(as_(OWNER), ADDRESS, "main", ALICE.address, RejectReason.NORM)

    assert busy.sent[0].name == "update_reject"
    assert busy.sent[0].data[8:] == b"\x07"
    assert done.reason == "norm"
    round_address = make_update(ALICE).round
    expected = find_update_pda(round_address, ALICE.address)[0]
    assert busy.sent_account("update") == expected


def test_withdraw_names_whoever_paid(busy, as_):
    update_withdraw(as_(ALICE), ADDRESS, "main")

    assert busy.sent[0].name == "update_withdraw"
    assert busy.sent_account("rent_payer") == ADMIN.address


def test_an_older_round_can_be_listed(chain, as_):
    chain.branch_accounts = [make_branch(round_index=2)]
    chain.round_accounts += [make_round(1), make_round(2)]
    chain.update_accounts.append(make_update(ALICE, index=1))

    assert len(update_list(as_(), ADDRESS, "main", 1).updates) == 1
    assert update_list(as_(), ADDRESS, "main").updates == ()


def test_codes_of_others_keep_their_number():
    assert reason_name(42) == "code 42"
    assert reason_name(255) == "other"
    assert all(0 < reason <= 255 for reason in RejectReason)
