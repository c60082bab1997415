"""Names of data sources: what they are kept as, and what is found by them."""

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from flair_client.data_check import check_source
from flair_client.data_sources import (
    DataSource,
    SourceKind,
    as_source,
    file_ledger,
    find_source,
    ledger_name,
    load_sources,
    named_source,
    save_source,
    source_path,
    tidy_path,
)
from flair_client.errors import (
    DataError,
    DataSourceMissing,
    DataUnreadable,
    IdentifierInvalid,
    UsageError,
    WorkspaceError,
)
from flair_client.training.data import ColumnMap, Source
from flair_client.training.recipe import parse_recipe

RECIPE = parse_recipe("""
[recipe]
model = "logistic-regression"
[data]
target = "ill"
[[data.columns]]
name = "age"
min = 0
max = 100
""")
LOADER = "def rows(times=1): return {'age': [50, 120] * times, 'ill': [0, 1] * times}"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "icu.csv"
    path.write_text("AGE,ill\n50,0\n?,1\n")
    return path


@pytest.fixture
def icu(tmp_path, table):
    """A named source, saved."""
    columns = ColumnMap({"age": Source("AGE"), "ill": Source("ill", "1", {"x": 2.0})})
    source = DataSource(name="icu", kind=SourceKind.CSV, path=table, column_map=columns)
    save_source(tmp_path / "home", source)
    return source


@pytest.fixture
def ward(tmp_path):
    """A named loader, saved."""
    path = tmp_path / "code" / "load.py"
    path.parent.mkdir()
    path.write_text(LOADER)
    source = DataSource(
        name="ward",
        kind=SourceKind.LOADER,
        path=path,
        function="rows",
        arguments={"times": 2, "deep": True, "x": 0.5, "where": "a = 'b'\n"},
        reads=(tmp_path,),
    )
    save_source(tmp_path / "home", source)
    return source


def test_what_was_saved_is_found_again(tmp_path, icu, ward):
    home = tmp_path / "home"

    assert load_sources(home) == (icu, ward)
    assert find_source(home, "icu") == icu
    assert named_source(home, "ward") == ward


def test_only_the_owner_can_read_where_data_lies(tmp_path, icu):
    path = source_path(tmp_path / "home", "icu")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not list(path.parent.glob(".*"))


def test_a_file_that_has_a_name_is_counted_by_the_name(tmp_path, icu, table):
    home = tmp_path / "home"

    assert find_source(home, str(table)) == icu
    assert as_source(home, table.parent / ".." / table.parent.name / "icu.csv") == icu
    assert ledger_name(home, str(table)) == ledger_name(home, "icu") == "icu"


def test_a_file_without_a_name_is_counted_by_its_place(tmp_path, table, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = find_source(tmp_path / "home", "icu.csv")

    assert (found.name, found.kind, found.label) == (None, SourceKind.CSV, "icu.csv")
    assert found.ledger == file_ledger(table) == ledger_name(None, str(table))
    assert len(found.ledger) == 64


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.parquet", "parquet"), ("a.PQ", "parquet"), ("a.npz", "npz"), ("a.tsv", "csv")],
)
def test_the_suffix_tells_what_a_file_is(tmp_path, name, kind):
    assert find_source(None, str(tmp_path / name)).kind == kind


def test_a_name_wins_over_a_file_of_that_name(tmp_path, icu, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "icu").write_text("age,ill\n1,0\n")

    assert find_source(tmp_path / "home", "icu") == icu
    assert find_source(tmp_path / "home", "./icu").name is None


def test_a_name_that_is_none(tmp_path):
    with pytest.raises(
        DataSourceMissing, match="neither a data source nor a file 'icu'"
    ):
        find_source(tmp_path, "icu")
    with pytest.raises(DataSourceMissing, match=r"there is no data source '\.\./x'"):
        named_source(tmp_path, "../x")
    assert load_sources(tmp_path) == load_sources(None) == ()


@pytest.mark.parametrize("name", ["", "../icu", "Icu", "a" * 65, "0" * 64])
def test_names_that_cannot_be(tmp_path, name, icu):
    with pytest.raises(IdentifierInvalid):
        source_path(tmp_path, name)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": SourceKind.CSV, "function": "f"}, "belongs to a loader"),
        ({"kind": SourceKind.LOADER}, "belongs to a loader"),
        ({"kind": SourceKind.LOADER, "function": "a.b"}, "'a.b' cannot be the name"),
        (
            {"kind": SourceKind.LOADER, "function": "f", "arguments": {"a-b": 1}},
            "'a-b' cannot be the name of an argument",
        ),
        (
            {
                "kind": SourceKind.LOADER,
                "function": "f",
                "arguments": {f"a{n}": n for n in range(65)},
            },
            "at most 64 arguments",
        ),
    ],
)
def test_sources_that_cannot_be(tmp_path, fields, said):
    with pytest.raises(UsageError, match=said):
        DataSource(name="icu", path=tmp_path, **fields)


@pytest.mark.parametrize(
    "text",
    [
        "kind = 'csv'\npath = '/x'",
        "version = 2\nkind = 'csv'\npath = '/x'",
        "version = 1\nkind = 'csv'\npath = 'x'",
        "version = 1\nkind = 'sql'\npath = '/x'",
        "version = 1\nkind = 'csv'",
        "version = 1\nkind = 'csv'\npath = '/x'\nmore = 1",
        "version = 1\nkind = 'csv'\npath = '/x'\nmap = 3",
        "version = 1\nkind = 'csv'\npath = '/x'\nmap.columns.a = 1",
        "version = 1\nkind = 'loader'\npath = '/x'\nfunction = 'f'\narguments.a = []",
        "version = 1\nkind = 'csv'\npath = '/x'\nfunction = 'f'",
        "not toml",
    ],
)
def test_a_damaged_file_is_named(tmp_path, text):
    path = source_path(tmp_path, "icu")
    path.parent.mkdir()
    path.write_text(text)

    with pytest.raises((UsageError, WorkspaceError), match=r"icu\.toml|belongs to"):
        load_sources(tmp_path)


def test_the_fingerprint_changes_with_the_data(icu, ward, table):
    prints = {icu.fingerprint, ward.fingerprint}
    table.write_text("AGE,ill\n50,0\n")
    ward.path.write_text(LOADER + "\n")
    prints |= {icu.fingerprint, ward.fingerprint}
    prints.add(icu.with_map(ColumnMap()).fingerprint)

    assert len(prints) == 5
    assert icu.fingerprint == icu.with_map(None).fingerprint


def test_data_that_is_gone(icu, table):
    table.unlink()

    with pytest.raises(DataUnreadable, match=r"'icu' needs .*No such file"):
        assert icu.fingerprint


def test_what_a_run_must_be_able_to_read(icu, ward, tmp_path, table):
    assert icu.readable == (table,)
    assert ward.readable == (tmp_path / "code", tmp_path)


def test_a_source_is_json(icu, ward):
    for source in (icu, ward):
        assert json.loads(json.dumps(source.plain())) == source.plain()


def test_a_table_that_fits(icu, table):
    table.write_text("AGE,ill\n50,1\n?,0\n120,1\n")
    icu = icu.with_map(ColumnMap({"age": Source("AGE")}))

    checked = check_source(icu, RECIPE)

    age, ill = checked.arrays
    assert (checked.num_rows, checked.n_clipped) == (3, {"age": 1})
    assert (age.name, age.shape, age.low, age.high, age.n_missing) == (
        *("age", (3,), 50.0, 100.0),
        1,
    )
    assert (ill.low, ill.high, ill.n_missing) == (0.0, 1.0, 0)


def test_a_loader_that_fits(ward):
    source = DataSource(
        name="ward",
        kind=SourceKind.LOADER,
        path=ward.path,
        function="rows",
        arguments={"times": 3},
    )
    checked = check_source(source, RECIPE)

    assert (checked.num_rows, checked.n_clipped) == (6, {"age": 3})


def test_arrays_for_columns(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, age=[1.0, np.nan], ill=[0, 1], more=[3])

    assert check_source(find_source(None, str(path)), RECIPE).num_rows == 2


def test_a_target_that_is_neither_0_nor_1(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, age=[1.0, 2.0], ill=[0, 2])

    with pytest.raises(DataError, match=r"a\.npz, row 2: target 'ill' is 2"):
        check_source(find_source(None, str(path)), RECIPE)


def test_a_path_is_kept_without_steps_back(tmp_path, monkeypatch, table):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    assert tidy_path(Path("../icu.csv")) == table
    assert tidy_path(Path("../gone/../icu.csv")) == table
    assert tidy_path(Path("../none.csv")) == tmp_path / "none.csv"


def test_a_path_keeps_its_links_but_where_a_step_back_goes_through_one(tmp_path):
    inner = tmp_path / "disk" / "2024"
    inner.mkdir(parents=True)
    (inner / "icu.csv").write_text("a\n1\n")
    (tmp_path / "disk" / "icu.csv").write_text("a\n2\n")
    (tmp_path / "icu.csv").write_text("a\n3\n")
    (tmp_path / "now").symlink_to(inner)

    assert tidy_path(tmp_path / "now" / "icu.csv") == tmp_path / "now" / "icu.csv"
    meant = tidy_path(tmp_path / "now" / ".." / "icu.csv")
    assert meant.read_text() == "a\n2\n"
