"""Loaders of a contributor's own: what they may give, and how they fail."""

import subprocess
import sys

import numpy as np
import pytest

from flair_client.errors import DataError
from flair_client.training.loading import load_arrays
from flair_client.training.reading import read_plain, read_plain_table
from flair_client.training.recipe import parse_recipe

ARRAYS = parse_recipe("""
[recipe]
model = "python"
[data]
target = "y"
[[data.inputs]]
name = "x"
dtype = "float32"
shape = [-1, 2]
min = 0
max = 16
[[data.inputs]]
name = "y"
dtype = "int64"
""")
COLUMNS = parse_recipe("""
[data]
target = "ill"
[[data.columns]]
name = "age"
min = 0
max = 100
[[data.columns]]
name = "pulse"
min = 30
max = 200
[statistics]
enabled = true
min_rows = 4
""")
X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
Y = np.array([0, 1, 1])
# The classes that a loader may give are told by their module and name alone.
FAKE_TORCH = """
class Dataset: pass
class IterableDataset(Dataset): pass
Dataset.__module__ = IterableDataset.__module__ = "torch.utils.data.dataset"
class Tensor:
    def __init__(self, a): self.a = a; self.dtype = "torch.float32"
    def detach(self): return self
    def cpu(self): return self
    def numpy(self): return self.a
"""


@pytest.fixture
def load(tmp_path):
    """Calls `make` of a module with this text."""

    def call(text, names=("x", "y"), **arguments):
        path = tmp_path / "loader.py"
        path.write_text(f"import numpy as np\n{text}")
        return load_arrays(path, "make", arguments, names, "icu")

    return call


@pytest.fixture
def plain(tmp_path):
    """A source with a loader of this text."""

    def make(text):
        path = tmp_path / "loader.py"
        path.write_text(f"import numpy as np\n{text}")
        return {"name": "icu", "path": str(path), "function": "make", "arguments": {}}

    return make


GOOD = {
    "arrays by name": (
        "def make(): return {'x': [[1, 2], [3, 4], [5, 6]], 'y': (0, 1, 1)}"
    ),
    "a list of batches": (
        "def make(): return [(np.array([[1, 2], [3, 4]]), np.array([0, 1])),"
        " (np.array([[5, 6]]), np.array([1]))]"
    ),
    "batches by name": (
        "def make():\n yield {'x': [[1, 2]], 'y': [0]}\n"
        " yield {'x': [[3, 4], [5, 6]], 'y': [1, 1]}"
    ),
    "rows by number": (
        "class Rows:\n def __len__(self): return 3\n"
        " def __getitem__(self, n): return [2 * n + 1, 2 * n + 2], int(n > 0)\n"
        "def make(): return Rows()"
    ),
    "a data set of PyTorch": (
        FAKE_TORCH + "class Rows(Dataset):\n def __len__(self): return 3\n"
        " def __iter__(self): raise NotImplementedError\n"
        " def __getitem__(self, n):\n"
        "  return Tensor(np.array([2 * n + 1, 2 * n + 2])), int(n > 0)\n"
        "def make(): return Rows()"
    ),
    "a data set of PyTorch that is only iterated": (
        FAKE_TORCH + "class Rows(IterableDataset):\n def __iter__(self):\n"
        "  for n in range(3): yield Tensor(np.array([2 * n + 1, 2 * n + 2])), n > 0\n"
        "def make(): return Rows()"
    ),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_rows_of_a_loader(load, text):
    arrays = load(text)

    assert np.array_equal(arrays["x"], X)
    assert np.array_equal(arrays["y"], Y)


def test_real_torch_data_sets_and_loaders(load):
    pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")
    made = "import torch\nfrom torch.utils.data import *\n"
    rows = (
        "TensorDataset(torch.tensor([[1, 2], [3, 4], [5, 6]]), torch.tensor([0, 1, 1]))"
    )

    for given in (
        rows,
        f"DataLoader({rows}, batch_size=2)",
        f"Subset({rows}, [0, 1, 2])",
    ):
        arrays = load(f"{made}def make(): return {given}")

        assert np.array_equal(arrays["x"], X)
        assert np.array_equal(arrays["y"], Y)


def test_columns_side_by_side_and_the_target(load):
    arrays = load(
        "def make(): return [(np.array([[50, 60], [70, 80]]), np.array([0, 1]))]",
        ("age", "pulse", "ill"),
    )

    assert {name: list(one) for name, one in arrays.items()} == {
        "age": [50, 70],
        "pulse": [60, 80],
        "ill": [0, 1],
    }


def test_arguments_reach_the_loader(load):
    arrays = load("def make(year, deep=False): return {'x': [year, deep]}", year=2024)

    assert list(arrays["x"]) == [2024, 0]


def test_a_loader_imports_what_lies_beside_it_and_nobody_else_does(load, tmp_path):
    (tmp_path / "model.py").write_text("ROWS = [1, 2]")

    arrays = load("import model\ndef make(): return {'x': model.ROWS}")

    assert list(arrays["x"]) == [1, 2]
    assert "model" not in sys.modules
    assert str(tmp_path) not in sys.path


def test_what_a_loader_prints_is_no_part_of_an_answer(load, capsys):
    load("def make():\n print('hello')\n return {'x': [1]}")

    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello\n")


BAD = {
    "a row that fails": (
        (
            "class Rows:\n def __len__(self): return 20_000\n"
            " def __getitem__(self, n):\n"
            "  if n == 10_000: raise ValueError('no such\\n scan')\n"
            "  return [1, 2], 0\n"
            "def make(): return Rows()"
        ),
        (
            "data source 'icu': make failed at row 10,001: ValueError: no such scan "
            r"\(loader.py, line 5\)"
        ),
    ),
    "a batch that fails": (
        (
            "def make():\n for n in range(3):\n"
            "  if n == 2: raise OSError('gone')\n"
            "  yield {'x': [[1, 2]] * 5, 'y': [0] * 5}"
        ),
        r"make failed in batch 3, after row 10: OSError: gone \(loader.py, line 4\)",
    ),
    "it exits": ("import sys\ndef make(): sys.exit(3)", "make failed: SystemExit: 3"),
    "it cannot be read": ("def make(:", "make failed: SyntaxError"),
    "no such function": ("def other(): pass", "loader.py has no function 'make'"),
    "no rows": ("def make(): return []", "data source 'icu' has no rows"),
    "a number": (
        "def make(): return 3",
        "gave int, neither arrays by name nor batches",
    ),
    "a text": ("def make(): return 'rows'", "gave str, neither arrays by name"),
    "objects": ("def make(): return {'x': [object()]}", "list of object is no array"),
    "other numbers of rows": (
        "def make(): return [([[1, 2]], [0, 1])]",
        "batch 1: arrays have different numbers of rows: 'x' 1, 'y' 2",
    ),
    "other shapes": (
        "def make(): return [([[1, 2]], [0]), ([[1, 2, 3]], [0])]",
        r"batch 2: 'x' has shape \[1, 3\], the first \[1, 2\]",
    ),
    "other names": (
        "def make(): return [{'x': [1]}, {'z': [1]}]",
        "batch 2 has other names than the first",
    ),
    "too many values": (
        "def make(): return [([1], [2], [3])]",
        "batch 1 holds 3 values for 'x', 'y'",
    ),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_a_loader_that_fails_is_one_sentence(load, text, said):
    with pytest.raises(DataError, match=said) as caught:
        load(text)

    assert "\n" not in str(caught.value)


def test_a_loader_that_is_gone(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*none\.py"):
        load_arrays(tmp_path / "none.py", "make", {}, ("x",), "icu")


def test_an_interrupt_is_not_taken_for_bad_data(load):
    with pytest.raises(KeyboardInterrupt):
        load("def make(): raise KeyboardInterrupt")


def test_arrays_are_checked_against_the_recipe(plain):
    rows = "{'x': [[1., 2], [3, 4]], 'y': [0, 1]}"
    data = read_plain(plain(f"def make(): return {rows}"), ARRAYS)

    assert data["x"].dtype == np.float32
    assert len(data) == 2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("{'x': [[1., 2]]}", "has no array 'y'; it has 'x'"),
        (
            "{'x': [[1., 2, 3]], 'y': [0]}",
            r"shape \[1, 3\], the recipe declares \[-1, 2\]",
        ),
        ("{'x': [[1., 20]], 'y': [0]}", "values from 1 to 20, the recipe declares"),
        ("{'x': [[1., 2]], 'y': [.5]}", "'y' is float64, the recipe declares int64"),
        ("{'x': [[1., 2], [1, np.nan]], 'y': [0, 1]}", "'x' is not finite in row 2"),
    ],
)
def test_arrays_that_do_not_fit_the_recipe(plain, rows, said):
    with pytest.raises(DataError, match=f"data source 'icu'.*{said}"):
        read_plain(plain(f"def make(): return {rows}"), ARRAYS)


def test_columns_from_a_loader_are_those_of_a_table(plain):
    rows = "{'age': [50, np.nan], 'pulse': [60, 900], 'ill': [0, 1]}"
    table = read_plain_table(plain(f"def make(): return {rows}"), COLUMNS)

    assert np.array_equal(table.x, [[50, 60], [np.nan, 200]], equal_nan=True)
    assert list(table.y) == [0, 1]
    assert table.n_clipped == {"pulse": 1}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("{'age': [5], 'ill': [0]}", "has no column 'pulse'; it has 'age', 'ill'"),
        ("{'age': ['a'], 'pulse': [1], 'ill': [0]}", "column 'age' is <U1"),
        (
            "{'age': [5], 'pulse': [np.inf], 'ill': [0]}",
            "'pulse' is not finite in row 1",
        ),
        (
            "{'age': [5] * 2, 'pulse': [1] * 2, 'ill': [0, 2]}",
            "row 2: target 'ill' is 2",
        ),
        ("{'age': [5], 'pulse': [1, 2], 'ill': [0]}", "different numbers of rows"),
    ],
)
def test_columns_that_do_not_fit_the_recipe(plain, rows, said):
    with pytest.raises(DataError, match=said):
        read_plain_table(plain(f"def make(): return {rows}"), COLUMNS)


def test_three_rows_give_no_statistics_away(plain):
    rows = plain("def make(): return {n: [1] * 3 for n in ('age', 'pulse', 'ill')}")

    assert len(read_plain(rows, COLUMNS)) == 3
    with pytest.raises(DataError, match="3 rows are too few to share statistics"):
        read_plain(rows, COLUMNS, is_statistics=True)


def test_torch_is_not_imported_by_itself():
    code = "import sys, flair_client.training.loading; print('torch' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert ran.stdout == "False\n"
