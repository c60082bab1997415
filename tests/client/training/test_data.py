import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flair_client.errors import DataError
from flair_client.training.data import ColumnMap, load_table
from flair_client.training.recipe import Column

COLUMNS = (Column("age", 20, 100), Column("chest_pain_4", 0, 1))


@pytest.fixture
def write(tmp_path):
    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def column_map(write):
    return ColumnMap.load(
        write(
            'missing = ["?"]\n'
            "[columns]\n"
            'age = "AGE"\n'
            'chest_pain_4 = { column = "cp", equals = "4" }\n'
            'ill = { column = "num", values = { none = 0, some = 1 } }\n',
            "map.toml",
        )
    )


def test_csv_is_read_through_a_column_map(write):
    path = write("num,cp,AGE\nnone,4,30\nsome,1,?\n")

    table = load_table(path, COLUMNS, "ill", column_map(write))

    assert table.x[0].tolist() == [30, 1]
    assert math.isnan(table.x[1, 0])
    assert table.x[1, 1] == 0
    assert table.y.tolist() == [0, 1]


def test_values_outside_the_plausible_range_are_clipped_and_counted(write):
    path = write("age,chest_pain_4,ill\n5,0,0\n300,1,1\n40,1,1\n")

    table = load_table(path, COLUMNS, "ill")

    assert table.x[:, 0].tolist() == [20, 100, 40]
    assert table.n_clipped == {"age": 2}


def test_parquet_gives_the_same_table_as_csv(write, tmp_path):
    path = write("age,chest_pain_4,ill\n30,0,0\n,1,1\n")
    arrow = pa.table(
        {"age": [30.0, None], "chest_pain_4": [0, 1], "ill": [False, True]}
    )
    pq.write_table(arrow, tmp_path / "data.parquet")

    from_csv = load_table(path, COLUMNS, "ill")
    from_parquet = load_table(tmp_path / "data.parquet", COLUMNS, "ill")

    np.testing.assert_array_equal(from_csv.x, from_parquet.x)
    np.testing.assert_array_equal(from_csv.y, from_parquet.y)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("age,chest_pain_4,ill\n", "has no rows"),
        ("age,ill\n1,0\n", "has no column 'chest_pain_4'; it has 'age', 'ill'"),
        ("age,age,chest_pain_4,ill\n1,1,0,0\n", "2 columns named 'age'"),
        ("age,chest_pain_4,ill\n1,0\n", "row 2: 2 cells under 3 column names"),
        ("age,chest_pain_4,ill\nold,0,0\n", "row 2: 'old' in column 'age' is not a"),
        (
            "age,chest_pain_4,ill\ninf,0,0\n",
            "row 2: 'inf' in column 'age' is not a fin",
        ),
        ("age,chest_pain_4,ill\n30,0,2\n", "row 2: target 'ill' is '2', neither 0 nor"),
        ("age,chest_pain_4,ill\n30,0,\n", "row 2: target 'ill' is '', neither 0 nor"),
        ('age,chest_pain_4,ill\n"30,0,1\n', "is not a CSV file"),
    ],
)
def test_refuses_a_file_with_a_sentence_that_names_the_place(write, text, sentence):
    with pytest.raises(DataError) as refused:
        load_table(write(text), COLUMNS, "ill")

    assert sentence in str(refused.value)
    assert "data.csv" in str(refused.value)


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load_table(tmp_path / "no.csv", COLUMNS, "ill")


def test_refuses_bytes_that_are_not_text_and_not_parquet(tmp_path):
    for name in ("data.csv", "data.parquet"):
        path = tmp_path / name
        path.write_bytes(b"\xff\xfe\x00PAR1nonsense\x80")
        with pytest.raises(DataError, match="is not a"):
            load_table(path, COLUMNS, "ill")


@pytest.mark.parametrize(
    "text",
    [
        "[columns]\nage = 3\n",
        "columns = 1\n",
        "other = 1\n",
        "not toml",
        '[columns.age]\ncolumn = "a"\nextra = 1\n',
        '[columns.age.values]\na = "b"\n',
    ],
)
def test_refuses_a_column_map_that_is_none(write, text):
    with pytest.raises(DataError, match="column map"):
        ColumnMap.load(write(text, "map.toml"))
