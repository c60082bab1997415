"""What a data source gave away is added up, and a spent budget refuses."""

import subprocess
import sys
from dataclasses import replace

import pytest

pytest.importorskip("dp_accounting", reason="the extra `privacy` is not installed")

from flair_client.errors import BudgetSpent, IdentifierInvalid, RecordDamaged
from flair_client.ids import CommitId
from flair_client.privacy.accountant import epsilon_of, noise_multiplier_for
from flair_client.privacy.ledger import (
    Charge,
    charge_source,
    check_budget,
    epsilon_spent,
    ledger_path,
    read_charges,
    sources_with_charges,
)

DELTA = 1e-6
MULTIPLIER = noise_multiplier_for(1.0, DELTA)


def charge(n, repo="flair://localnet/a/heart"):
    return Charge(
        commit=CommitId(n.to_bytes(32, "big")),
        repo=repo,
        branch="main",
        round_index=n,
        noise_multiplier=MULTIPLIER,
        epsilon=1.0,
        delta=DELTA,
        time=n,
    )


def spend(home, n, max_epsilon, **more):
    return charge_source(
        home, "icu", charge(n, **more), max_epsilon=max_epsilon, delta=DELTA
    )


def test_charges_come_back(tmp_path):
    assert read_charges(tmp_path, "icu") == ()
    assert spend(tmp_path, 1, 10)
    assert spend(tmp_path, 2, 10, repo="flair://localnet/b/other")

    assert read_charges(tmp_path, "icu") == (
        charge(1),
        charge(2, repo="flair://localnet/b/other"),
    )
    assert sources_with_charges(tmp_path) == ("icu",)


def test_the_same_update_is_charged_once(tmp_path):
    assert spend(tmp_path, 1, 1.0)
    assert not spend(tmp_path, 1, 1.0)

    assert len(read_charges(tmp_path, "icu")) == 1


def test_a_spent_budget_refuses_over_all_repositories(tmp_path):
    limit = epsilon_of([MULTIPLIER] * 3, DELTA)
    for n in range(3):
        spend(tmp_path, n, limit, repo=f"flair://localnet/a/repo{n}")

    with pytest.raises(BudgetSpent) as caught:
        spend(tmp_path, 9, limit, repo="flair://localnet/a/new")

    assert caught.value.spent == pytest.approx(limit)
    assert caught.value.wanted == pytest.approx(epsilon_of([MULTIPLIER] * 4, DELTA))
    assert "'icu'" in str(caught.value)
    assert len(read_charges(tmp_path, "icu")) == 3
    # One that was written before may still leave.
    assert not spend(tmp_path, 2, limit)


def test_other_sources_have_budgets_of_their_own(tmp_path):
    spend(tmp_path, 1, 1.0)

    assert charge_source(tmp_path, "ward", charge(2), max_epsilon=1.0, delta=DELTA)


def test_a_check_writes_nothing(tmp_path):
    check_budget(tmp_path, "icu", MULTIPLIER, max_epsilon=1.0, delta=DELTA)
    with pytest.raises(BudgetSpent):
        check_budget(tmp_path, "icu", MULTIPLIER, max_epsilon=0.9, delta=DELTA)

    assert read_charges(tmp_path, "icu") == ()


def test_the_loss_together_is_the_accountants(tmp_path):
    other = replace(charge(2), noise_multiplier=30.0)
    spend(tmp_path, 1, 100)
    charge_source(tmp_path, "icu", other, max_epsilon=100, delta=DELTA)

    spent = epsilon_spent(read_charges(tmp_path, "icu"), DELTA)
    assert spent == epsilon_of((MULTIPLIER, 30.0), DELTA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"noise_multiplier":', b'"noise_multiplier":1'),
        (b'"commit":"', b'"commit":"x'),
    ],
)
def test_a_changed_ledger_is_not_believed(tmp_path, old, new):
    spend(tmp_path, 1, 10)
    spend(tmp_path, 2, 10)
    path = ledger_path(tmp_path, "icu")
    path.write_bytes(path.read_bytes().replace(old, new, 1))

    with pytest.raises(RecordDamaged):
        spend(tmp_path, 3, 10)


def test_a_last_update_that_was_overwritten_is_not_passed_over(tmp_path):
    spend(tmp_path, 1, 10)
    spend(tmp_path, 2, 10)
    path = ledger_path(tmp_path, "icu")
    first, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"#" * (len(last) - 1) + b"\n")

    with pytest.raises(RecordDamaged, match="line 2"):
        read_charges(tmp_path, "icu")
    with pytest.raises(RecordDamaged, match="line 2"):
        spend(tmp_path, 3, 10)


@pytest.mark.parametrize("text", ["0", "-3.0", '"x"', "null"])
def test_a_line_without_noise_is_no_update(tmp_path, text):
    spend(tmp_path, 1, 10)
    path = ledger_path(tmp_path, "icu")
    stated = str(MULTIPLIER).encode()
    path.write_bytes(path.read_bytes().replace(stated, text.encode()))

    with pytest.raises(RecordDamaged, match="line 1"):
        read_charges(tmp_path, "icu")


@pytest.mark.parametrize("source", ["", "../x", "a/b", ".hidden", "A"])
def test_names_that_lead_elsewhere(tmp_path, source):
    with pytest.raises(IdentifierInvalid):
        read_charges(tmp_path, source)


RACE = """
import sys
from pathlib import Path
from flair_client.errors import BudgetSpent
from flair_client.ids import CommitId
from flair_client.privacy.ledger import Charge, charge_source
home, start, multiplier, limit = sys.argv[1:]
for n in range(int(start), int(start) + 4):
    try:
        charge_source(
            Path(home), "icu",
            Charge(commit=CommitId(n.to_bytes(32, "big")), repo="r", branch="b",
                   round_index=0, noise_multiplier=float(multiplier), epsilon=1.0,
                   delta=1e-6, time=0),
            max_epsilon=float(limit), delta=1e-6)
    except BudgetSpent:
        pass
"""


def test_two_processes_at_once_do_not_spend_twice_the_budget(tmp_path):
    limit = epsilon_of([MULTIPLIER] * 3, DELTA)
    others = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", RACE, str(tmp_path), str(start)),
                *(str(MULTIPLIER), repr(limit)),
            ]
        )
        for start in (0, 100)
    ]

    assert [other.wait() for other in others] == [0, 0]
    assert len(read_charges(tmp_path, "icu")) == 3
