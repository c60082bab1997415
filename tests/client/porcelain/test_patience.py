"""How long is waited, and for what nobody waits."""

import pytest

from flair_client.errors import (
    BudgetSpent,
    ClusterMismatch,
    DataError,
    ProgramRefused,
    RecipeFailed,
    RpcUnavailable,
    SiteRefused,
    SponsorRefused,
    SponsorUnavailable,
    StoreFull,
    StoreUnavailable,
    TrustRequired,
    VerificationError,
    WalletError,
    WorkspaceLocked,
)
from flair_client.porcelain.patience import MAX_PAUSE_S, Patience


def patience(jitter=0.5, interval_s=4.0):
    return Patience(interval_s, lambda: jitter)


def test_pauses_of_an_outage_double_up_to_five_minutes():
    made = patience()
    pauses = [made.after(RpcUnavailable("down")) for _ in range(10)]

    assert pauses[:4] == [4.0, 8.0, 16.0, 32.0]
    assert pauses[-3:] == [MAX_PAUSE_S] * 3


def test_an_answer_makes_pauses_short_again():
    made = patience()
    made.after(StoreUnavailable("down"))
    made.after(StoreUnavailable("down"))
    made.answered()

    assert made.after(StoreUnavailable("down")) == 4.0


def test_waits_grow_to_four_intervals_and_no_further():
    made = patience()
    waits = [made.wait() for _ in range(12)]

    assert waits[0] == 4.0
    assert waits == sorted(waits)
    assert waits[-1] == 16.0
    made.went_well()
    assert made.wait() == 4.0


def test_an_update_that_waits_for_its_merge_is_looked_after_more_often():
    made = patience()
    for _ in range(12):
        made.wait()

    assert made.wait(before_merge=True) == 6.0
    assert made.wait(before_merge=True) == 6.0
    assert made.wait() == 6.0
    assert made.wait() == 7.5


def test_contributors_that_were_started_together_are_spread_out():
    assert patience(0.0).wait() == 2.0
    assert patience(0.99).wait() == pytest.approx(5.96)


@pytest.mark.parametrize(
    "error",
    [
        RpcUnavailable("429"),
        StoreUnavailable("down"),
        WorkspaceLocked("another process"),
        SponsorUnavailable("down"),
        SponsorRefused("cap", "the day's lamports are spent"),
        TimeoutError("the audit log is held"),
        ProgramRefused(6021, "RoundClosed", "the round takes no more updates"),
        ProgramRefused(6007, "Paused", "paused"),
    ],
)
def test_what_passes_is_waited_for_without_end(error):
    made = patience()

    assert [made.after(error) for _ in range(40)][-1] == MAX_PAUSE_S


@pytest.mark.parametrize(
    "error",
    [
        TrustRequired("the recipe changed"),
        SiteRefused("limits.min_rows", "too few rows"),
        BudgetSpent("icu", 9.0, 11.0, 10.0),
        DataError("no such column"),
        RecipeFailed("it exited"),
        WalletError("no wallet"),
        SponsorRefused("repo", "another repository"),
        StoreFull("the disk is full"),
        ClusterMismatch("another cluster"),
        ProgramRefused(6001, "RoleMissing", "no role"),
        ProgramRefused(None, "InsufficientFundsForFee", "insufficient funds"),
        OSError(28, "No space left on device"),
    ],
)
def test_what_a_person_has_to_change_is_not_waited_for(error):
    with pytest.raises(type(error)):
        patience().after(error)


def test_what_makes_no_sense_is_tried_six_times():
    made = patience()
    error = VerificationError("event 7", "is missing")
    for _ in range(5):
        made.after(error)

    with pytest.raises(VerificationError):
        made.after(error)


def test_doubts_begin_anew_once_something_went_well():
    made = patience()
    error = VerificationError("event 7", "is missing")
    for _ in range(5):
        made.after(error)
    made.went_well()

    # Five more, each with its pause, before the sixth gives up.
    assert [made.after(error) for _ in range(5)] == [4.0, 8.0, 16.0, 32.0, 64.0]
    with pytest.raises(VerificationError):
        made.after(error)
