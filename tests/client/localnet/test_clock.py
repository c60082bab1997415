"""Slots and time: by the wall clock, never back, the same after a restart."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.chain.accounts import RawAccount, decode_account
from flair_client.chain.instructions import repo_create
from flair_client.chain.pdas import PROGRAM_ID, find_repo_pda
from flair_client.chain.signer import KeypairSigner
from flair_client.ids import Address
from flair_client.localnet.clock import (
    BLOCKHASH_SLOTS,
    SLOT_MS,
    Blockhashes,
    Moment,
    SlotClock,
)

SIGNER = KeypairSigner(b"\5" * 32)
B64 = {"encoding": "base64"}


class Wall:
    def __init__(self, ms=0):
        self.ms = ms

    def __call__(self):
        return self.ms


def test_a_slot_begins_every_400_ms():
    wall = Wall(1_000_000)
    clock = SlotClock(Moment(7, 1_000_000), wall)

    for passed, slot in ((0, 7), (399, 7), (400, 8), (799, 8), (4_000, 17)):
        wall.ms = 1_000_000 + passed
        assert clock.now() == Moment(slot, wall.ms)


def test_a_clock_that_is_set_back_stands_still_until_it_has_caught_up():
    wall = Wall(1_000_000)
    clock = SlotClock(Moment(7, 1_000_000), wall)
    wall.ms += 4_000
    before = clock.now()
    wall.ms -= 3_600_000

    assert clock.now() == before
    wall.ms += 3_600_000 + SLOT_MS
    assert clock.now().slot == before.slot + 1


def test_a_start_before_the_newest_moment_on_disk_waits_for_it():
    clock = SlotClock(Moment(7, 1_000_000), Wall(5))

    assert clock.now() == Moment(7, 1_000_000)
    assert clock.following() == Moment(8, 1_000_000)


@given(st.lists(st.one_of(st.integers(-5_000, 5_000), st.none()), max_size=40))
def test_neither_slot_nor_time_ever_goes_back(steps):
    wall = Wall(10**12)
    clock = SlotClock(Moment(0, wall.ms), wall)
    seen = [clock.now()]
    for step in steps:
        if step is None:
            clock.advance(clock.following())
        else:
            wall.ms += step
        seen.append(clock.now())

    assert [one.slot for one in seen] == sorted(one.slot for one in seen)
    assert [one.unix_ms for one in seen] == sorted(one.unix_ms for one in seen)


def test_a_moment_knows_its_seconds_and_its_epoch():
    assert Moment(432_000, 1_999).unix_timestamp == 1
    assert (Moment(431_999, 0).epoch, Moment(432_000, 0).epoch) == (0, 1)


def test_a_blockhash_holds_for_150_slots():
    hashes = Blockhashes(b"g" * 32)
    made = hashes.of_slot(1000)

    assert hashes.is_valid(made, 1000)
    assert hashes.is_valid(made, 1000 + BLOCKHASH_SLOTS)
    assert not hashes.is_valid(made, 1000 + BLOCKHASH_SLOTS + 1)
    assert not hashes.is_valid(made, 999)
    assert not Blockhashes(b"h" * 32).is_valid(made, 1000)


def test_programs_see_the_wall_clock(open_asker, wall):
    with open_asker() as ask:
        ask.fund(SIGNER)
        wall.ms += 3_600_000
        signed = ask.sign(
            repo_create(
                payer=SIGNER.address,
                creator=SIGNER.address,
                name="heart",
                points_per_merge=1,
            ),
            signers=[SIGNER],
        )
        ask("sendTransaction", base64.b64encode(signed.wire).decode(), B64)
        repo = find_repo_pda(SIGNER.address, "heart")[0]
        shown = ask("getAccountInfo", str(repo), B64)["value"]
        entry = ask("getTransaction", signed.signature)

        account = decode_account(
            RawAccount(
                repo,
                Address.parse(shown["owner"]),
                shown["lamports"],
                base64.b64decode(shown["data"][0]),
                executable=False,
            ),
            PROGRAM_ID,
        )

        assert account.created_at == entry["blockTime"] == wall.ms // 1000
        assert ask("getBlockTime", entry["slot"]) == wall.ms // 1000


def test_a_blockhash_expires_by_the_wall_clock(open_asker, wall):
    with open_asker() as ask:
        latest = ask("getLatestBlockhash")["value"]
        wall.ms += 60_000
        assert ask("isBlockhashValid", latest["blockhash"])["value"]
        assert ask("getBlockHeight") == latest["lastValidBlockHeight"]
        wall.ms += SLOT_MS
        assert not ask("isBlockhashValid", latest["blockhash"])["value"]
        assert ask("getBlockHeight") > latest["lastValidBlockHeight"]


@pytest.mark.parametrize("away_ms", [0, 10_000, 10**9, -(10**9)])
def test_slots_go_on_after_a_restart(open_asker, wall, away_ms):
    with open_asker() as ask:
        first = ask.fund(SIGNER, 10**9)
        slot, count = ask("getSlot"), ask("getTransactionCount")
        blockhash = ask.blockhash()
    wall.ms += away_ms

    with open_asker() as ask:
        assert ask("getSlot") == slot + max(0, away_ms) // SLOT_MS
        assert ask("getTransactionCount") == count
        assert ask("isBlockhashValid", blockhash)["value"] == (away_ms <= 60_000)
        assert ask("getSignatureStatuses", [first])["value"][0]["slot"] <= slot
        ask.fund(SIGNER, 10**9)
        newest, *_ = ask("getSignaturesForAddress", str(SIGNER.address))
        assert newest["slot"] == ask("getSlot") > slot
