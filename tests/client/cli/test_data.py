"""`flair data` and `flair train --data NAME` as people type them."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from work_world import ROWS, running_net

from flair_client.data_sources import file_ledger
from flair_client.ids import CommitId
from flair_client.privacy.ledger import (
    Charge,
    charge_source,
    ledger_path,
    read_charges,
)
from flair_client.workspace import Workspace

LOADER = """
def make(n=0):
    for batch in range(3):
        if n and batch == n:
            raise RuntimeError("the archive is shut")
        yield [[1.0, 2.0]] * 4 + [[4.0, 3.0]] * 4, [0] * 4 + [1] * 4
"""

CHARGE = Charge(
    commit=CommitId(bytes(32)),
    repo="flair://localnet/x/y",
    branch="main",
    round_index=1,
    noise_multiplier=2.0,
    epsilon=1.0,
    delta=1e-6,
    time=0,
)


@pytest.fixture
def rows(home, tmp_path):
    path = tmp_path / "work" / "rows.csv"
    path.write_text(ROWS)
    return path


def kept(home, name):
    return tomllib.loads((home / "data" / f"{name}.toml").read_text())


def test_add_list_show_remove(flair, home, rows):
    added = flair("data", "add", "icu", "--csv", "rows.csv", "--json")
    shown = flair("data", "show", "icu", "--json").line
    listed = flair("data", "list", "--json").line

    assert added.line["result"] == shown["result"] == listed["result"]["sources"][0]
    assert shown["result"]["path"] == str(rows)
    assert kept(home, "icu") == {"version": 1, "kind": "csv", "path": str(rows)}
    assert flair("data", "remove", "icu").code == 0
    assert rows.read_text() == ROWS
    assert flair("data", "list", "--json").line["result"]["sources"] == []
    assert flair("data", "show", "icu").code == 1


def test_a_loader_with_arguments(flair, home, rows, tmp_path):
    (tmp_path / "work" / "load.py").write_text(LOADER)
    flags = (
        "--kwarg",
        "n=2",
        "--kwarg",
        "deep=true",
        "--kwarg",
        "year=0x",
        "--read",
        ".",
    )
    added = flair("data", "add", "ward", "--loader", "load.py:make", *flags)

    assert added.code == 0
    assert kept(home, "ward")["arguments"] == {"n": 2, "deep": True, "year": "0x"}
    assert "load.py:make" in flair("data", "list").out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "one of --csv, --parquet, --npz and --loader"),
        (("--csv", "rows.csv", "--npz", "rows.csv"), "one of --csv"),
        (("--csv", "none.csv"), "there is no file "),
        (("--csv", "."), "is no file"),
        (("--loader", "rows.csv"), "'rows.csv' is not FILE:FUNCTION"),
        (("--loader", "rows.csv:a b"), "'a b' cannot be the name of a function"),
        (("--loader", "rows.csv:f", "--kwarg", "x"), "'x' is not KEY=VALUE"),
        (("--csv", "rows.csv", "--kwarg", "x=1"), "belong to a loader"),
        (("--npz", "rows.csv", "--map", "rows.csv"), "--map belongs to a table"),
        (
            ("--csv", "rows.csv", "--map", "rows.csv"),
            "column map rows.csv cannot be read",
        ),
    ],
)
def test_what_cannot_be_named(flair, home, rows, flags, said):
    ran = flair("data", "add", "icu", *flags)

    assert ran.code in {1, 2}
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert not (home / "data").exists()


def test_a_name_is_not_given_twice(flair, rows):
    flair("data", "add", "icu", "--csv", "rows.csv")

    again = flair("data", "add", "icu", "--csv", "rows.csv")
    other = flair("data", "add", "ward", "--csv", "rows.csv")
    forced = flair("data", "add", "icu", "--csv", "rows.csv", "--force")

    assert "there is a data source 'icu' already" in again.err
    assert "has the name 'icu' already" in other.err
    assert (again.code, other.code, forced.code) == (2, 2, 0)


def test_a_name_or_a_file_that_is_taken_says_what_to_do(flair, rows):
    flair("data", "add", "icu", "--csv", "rows.csv")

    twice = flair("data", "add", "icu", "--csv", "rows.csv", "--json").line
    other = flair("data", "add", "ward", "--csv", "rows.csv", "--json").line

    assert (twice["error_code"], twice["exit_code"]) == ("DataSourceExists", 2)
    assert "--force" in twice["hint"]
    assert (other["error_code"], other["exit_code"]) == ("DataHasName", 2)
    assert "`flair data remove icu`" in other["hint"]


def test_a_path_with_steps_back_is_kept_as_people_read_it(flair, home, rows):
    flair("data", "add", "icu", "--csv", "../work/rows.csv")

    assert kept(home, "icu")["path"] == str(rows)


@pytest.mark.parametrize(
    "words",
    [
        ("data", "add", "icu", "--csv", "none.csv"),
        ("data", "add", "ward", "--loader", "none.py:make"),
        ("data", "check", "none.csv", "--recipe", "flair.toml"),
        ("data", "check", "none.npz", "--recipe", "flair.toml"),
        ("data", "check", "moved", "--recipe", "flair.toml"),
        ("init", "new", "--columns-from", "none.csv"),
        ("init", "new", "--npz", "w.npz", "--inputs-from", "none.npz"),
        ("init", "new", "--npz", "none.npz"),
    ],
)
def test_a_missing_file_is_wrong_usage_and_not_a_fault_of_the_data(
    flair, home, rows, words
):
    flair("init", "heart", "--columns-from", "rows.csv")
    np.savez("w.npz", w=np.zeros(2))
    (rows.parent / "flair.toml").write_bytes(Path("heart/flair.toml").read_bytes())
    (rows.parent / "there.csv").write_text(ROWS)
    flair("data", "add", "moved", "--csv", "there.csv")
    (rows.parent / "there.csv").unlink()

    line = flair(*words, "--json").line

    assert line["exit_code"] == 2, line
    assert "data list" not in (line["hint"] or "")


def test_privacy_of_what_is_no_data_source_is_refused(flair, home, rows):
    flair("data", "add", "icu", "--csv", "rows.csv")
    for known in ("icu", "rows.csv"):
        assert flair("privacy", "show", known).code == 0
    for unknown in ("icuu", "none.csv"):
        line = flair("privacy", "show", unknown, "--json").line
        assert (line["error_code"], line["exit_code"]) == ("DataSourceMissing", 1)
    charge_source(home, "gone", CHARGE, max_epsilon=10, delta=1e-6)

    assert flair("privacy", "show", "gone", "--json").line["result"]["updates"]


def test_what_a_file_gave_away_is_counted_under_its_name(flair, home, rows):
    for name in (file_ledger(rows), "old"):
        charge_source(home, name, CHARGE, max_epsilon=10, delta=1e-6)

    added = flair("data", "add", "icu", "--csv", "rows.csv", "--json").line["result"]

    assert added["num_updates"] == 1
    assert not ledger_path(home, file_ledger(rows)).exists()
    assert read_charges(home, "icu") == (CHARGE,)
    assert flair("data", "remove", "icu", "--json").line["result"]["num_updates"] == 1
    # Counted under a name of its own already: two ledgers cannot become one.
    charge_source(home, file_ledger(rows), CHARGE, max_epsilon=10, delta=1e-6)
    refused = flair("data", "add", "old", "--csv", "rows.csv")
    assert refused.code == 2
    assert "counted under the file and under 'old' already" in refused.err


def test_check_against_a_recipe(flair, rows, tmp_path):
    flair("init", "model", "--columns-from", "rows.csv")
    flair("data", "add", "icu", "--csv", "rows.csv")
    recipe = ("--recipe", "model/flair.toml")

    good = flair("data", "check", "icu", *recipe, "--json").line["result"]
    assert good["num_rows"] == len(ROWS.splitlines()) - 1
    assert flair("data", "check", "icu", *recipe).code == 0
    rows.write_text("\n".join(ROWS.splitlines()[:4]) + "\n")
    few = flair("data", "check", "icu", *recipe)
    assert (few.code, "3 rows are too few to share statistics" in few.err) == (0, True)
    rows.write_text("a,b,target\n1,x,0\n")
    bad = flair("data", "check", "rows.csv", *recipe)
    assert (bad.code, "row 2: 'x' in column 'b' is not a number" in bad.err) == (
        1,
        True,
    )
    assert flair("data", "check", "icu").code == 2


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def site(net):
    """Somebody with a trusted clone of a model, and a folder of data."""
    owner = net.person("owner")
    (owner.folder / "rows.csv").write_text(ROWS)
    owner.json("init", "plain", "--columns-from", "rows.csv", "--no-statistics")
    flags = ("--open", "--min-updates", 1)
    folder = owner.folder / "plain"
    repo = owner.json("repo", "create", "plain", *flags, cwd=folder)["repo"]
    site = net.person("site")
    site.json("clone", repo, "clone", "--trust")
    (site.folder / "rows.csv").write_text(ROWS)
    (site.folder / "load.py").write_text(LOADER)
    return site


def test_training_by_name_is_training_on_the_file(site):
    folder = site.folder / "clone"
    update = folder / "update.safetensors"
    by_file = site.json("train", "--data", "../rows.csv", "--seed", 1, cwd=folder)
    made = update.read_bytes()
    site.json("data", "add", "icu", "--csv", "rows.csv")

    by_name = site.json("train", "--data", "icu", "--seed", 1, cwd=folder)

    assert by_name == by_file
    assert update.read_bytes() == made
    assert Workspace(folder).marker("trained")["source"] == "icu"
    told = [path for path in folder.rglob("*") if path.is_file()]
    trace = str(site.folder / "rows.csv").encode()
    assert [path for path in told if trace in path.read_bytes()] == []


def test_training_with_a_loader_and_what_is_lost_when_it_fails(site):
    folder = site.folder / "clone"
    site.json("data", "add", "ward", "--loader", "load.py:make")
    site.json("data", "add", "shut", "--loader", "load.py:make", "--kwarg", "n=2")
    np.savez(site.folder / "few.npz", a=[1.0], b=[2.0])
    site.json("data", "add", "few", "--npz", "few.npz")
    trained = site.json("train", "--data", "ward", cwd=folder)
    marker = Workspace(folder).marker("trained")
    made = (folder / "update.safetensors").read_bytes()

    shut = site("train", "--data", "shut", cwd=folder)
    few = site("train", "--data", "few", cwd=folder)
    none = site("train", "--data", "nowhere", cwd=folder)

    assert trained["num_samples"] == 24
    assert (shut.code, few.code, none.code) == (1, 1, 1)
    assert (
        "error: data source 'shut': make failed in batch 3, after row 16: "
        "RuntimeError: the archive is shut (load.py, line 5)"
    ) in shut.err
    assert "few.npz has no column 'target'; it has 'a', 'b'" in few.err
    assert "there is neither a data source nor a file 'nowhere'" in none.err
    assert Workspace(folder).marker("trained") == marker
    assert (folder / "update.safetensors").read_bytes() == made


def test_data_that_is_set_for_a_workspace_may_be_a_name(site):
    folder = site.folder / "clone"
    site.json("data", "add", "ward", "--loader", "load.py:make", "--force")
    site.json("config", "set", "train.data", "ward", "--local", cwd=folder)

    assert site.json("train", cwd=folder)["num_samples"] == 24
