"""The ledger counts each signature once, and no day's beyond its caps."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from flair_client.errors import (
    RecordDamaged,
    SponsorRefused,
    StoreFull,
    WorkspaceError,
    WorkspaceLocked,
)
from flair_client.ids import Digest
from flair_client.sponsor.ledger import DAY_S, Caps, Ledger
from flair_client.sponsor.rules import Asked, Purpose
from flair_client.testing import ALICE, BOB, NOW, REPO

CAPS = Caps(
    {Purpose.REQUEST: 70, Purpose.JOIN: 50, Purpose.CONTRIBUTE: 100}, per_wallet=60
)


def one(number, *, wallet=ALICE, purpose=Purpose.CONTRIBUTE):
    digest = Digest(bytes([number]) * 32)
    return Asked(digest, purpose, REPO, wallet.address, None, 0)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "sponsor" / "ledger.db")


def test_the_same_transaction_counts_once(ledger):
    assert ledger.reserve(one(1), 40, CAPS, NOW)
    assert not ledger.reserve(one(1), 40, CAPS, NOW)
    assert not ledger.reserve(one(1), 40, CAPS, NOW + DAY_S)

    spent = ledger.spent(NOW)
    assert spent.n_signed == 1
    assert spent.by_purpose == dict.fromkeys(Purpose, 0) | {Purpose.CONTRIBUTE: 40}
    assert spent.by_wallet == ((ALICE.address, 40),)


def test_the_cap_of_a_wallet_holds_over_purposes(ledger):
    ledger.reserve(one(1), 40, CAPS, NOW)
    ledger.reserve(one(2, purpose=Purpose.JOIN), 20, CAPS, NOW)

    with pytest.raises(SponsorRefused, match=str(ALICE.address)) as caught:
        ledger.reserve(one(3), 1, CAPS, NOW)

    assert caught.value.code == "cap"
    assert ledger.reserve(one(3, wallet=BOB), 60, CAPS, NOW)
    assert ledger.spent(NOW).n_signed == 3


@pytest.mark.parametrize(("purpose", "cap"), [*CAPS.per_day.items()])
def test_the_cap_of_a_purpose_holds_over_wallets(ledger, purpose, cap):
    ledger.reserve(one(1, purpose=purpose), cap // 2, CAPS, NOW)
    ledger.reserve(one(2, wallet=BOB, purpose=purpose), cap - cap // 2, CAPS, NOW)

    with pytest.raises(SponsorRefused, match=purpose.value):
        ledger.reserve(one(3, wallet=BOB, purpose=purpose), 1, CAPS, NOW)


def test_a_new_day_begins_with_nothing_spent(ledger):
    last_second = NOW // DAY_S * DAY_S + DAY_S - 1
    ledger.reserve(one(1), 60, CAPS, last_second)
    with pytest.raises(SponsorRefused):
        ledger.reserve(one(2), 1, CAPS, last_second)

    assert ledger.reserve(one(2), 60, CAPS, last_second + 1)


def test_asking_whether_it_fits_counts_nothing(ledger):
    for _ in range(3):
        assert not ledger.check(one(1), 60, CAPS, NOW)
    assert ledger.spent(NOW).n_signed == 0

    ledger.reserve(one(1), 60, CAPS, NOW)

    assert ledger.check(one(1), 60, CAPS, NOW)
    with pytest.raises(SponsorRefused) as caught:
        ledger.check(one(2), 1, CAPS, NOW)
    assert caught.value.code == "cap"


def test_many_at_once_stay_within_the_cap(ledger):
    def ask(number):
        try:
            return ledger.reserve(one(number), 7, CAPS, NOW)
        except SponsorRefused:
            return False

    with ThreadPoolExecutor(8) as pool:
        given = sum(pool.map(ask, range(40)))

    assert given == 60 // 7
    assert ledger.spent(NOW).by_purpose[Purpose.CONTRIBUTE] == 56


def test_many_may_begin_it_at_once(tmp_path):
    path = tmp_path / "ledger.db"
    begin = threading.Barrier(8)

    def ask(number):
        begin.wait()
        return Ledger(path).reserve(one(number), 1, CAPS, NOW)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))

    assert Ledger(path).spent(NOW).n_signed == 8


def test_it_is_kept_over_a_restart(ledger):
    ledger.reserve(one(1), 60, CAPS, NOW)

    with pytest.raises(SponsorRefused):
        Ledger(ledger.path).reserve(one(2), 1, CAPS, NOW)


def test_a_file_that_is_no_ledger_is_named(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"not a database, and longer than a header of one" * 40)

    with pytest.raises(RecordDamaged, match="ledger"):
        Ledger(path).reserve(one(1), 1, CAPS, NOW)


def test_an_older_table_of_the_same_name_is_named(tmp_path):
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE signed (message BLOB)")
    db.close()

    with pytest.raises(RecordDamaged):
        Ledger(path).spent(NOW)


def test_a_ledger_that_another_process_holds_is_not_called_damaged(ledger):
    ledger.reserve(one(1), 1, CAPS, NOW)
    holder = sqlite3.connect(ledger.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    hasty = Ledger(ledger.path, timeout_s=0.0)

    for ask in (
        lambda: hasty.reserve(one(2), 1, CAPS, NOW),
        lambda: hasty.check(one(2), 1, CAPS, NOW),
        lambda: hasty.spent(NOW),
    ):
        with pytest.raises(WorkspaceLocked, match="another process"):
            ask()

    holder.close()
    assert hasty.reserve(one(2), 1, CAPS, NOW)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, WorkspaceLocked),
        (sqlite3.SQLITE_READONLY, WorkspaceError),
        (sqlite3.SQLITE_IOERR_WRITE, StoreFull),
        (sqlite3.SQLITE_IOERR_READ, WorkspaceError),
        (sqlite3.SQLITE_CORRUPT_INDEX, RecordDamaged),
    ],
)
def test_what_the_disk_refuses_is_told_from_damage(ledger, monkeypatch, code, kind):
    def fail(*_, **__):
        error = sqlite3.OperationalError("as the disk says")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(sqlite3, "connect", fail)

    with pytest.raises(kind):
        ledger.spent(NOW)


def test_a_folder_in_its_place_is_named(tmp_path):
    with pytest.raises(WorkspaceError, match="cannot be used"):
        Ledger(tmp_path).spent(NOW)
