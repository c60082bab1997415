"""`flair init`: a workspace from a CSV file or from weights."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from flair_client.training.recipe import parse_recipe

ROWS = "age,name,sex,target\n63,ann,1,1\n37,bob,0,0\n,eve,1,1\n"


@pytest.fixture
def rows(home, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return path


def test_columns_of_a_file_become_a_recipe_and_zeros(flair, rows, tmp_path):
    ran = flair("init", "heart", "--columns-from", rows, "--json")

    assert ran.code == 0
    result = ran.line["result"]
    assert result["created"] == ["flair.toml", "CARD.md", "weights.safetensors"]
    assert (result["n_columns"], result["guessed_ranges"]) == (2, True)
    folder = tmp_path / "work" / "heart"
    recipe = parse_recipe((folder / "flair.toml").read_bytes())
    assert [column.name for column in recipe.columns] == ["age", "sex"]
    assert recipe.statistics
    tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "linear.weight": (2,),
        "linear.bias": (1,),
        "statistics.present": (2,),
        "statistics.mean": (2,),
        "statistics.mean_square": (2,),
    }


def test_guessed_ranges_want_a_look_until_they_were_changed(flair, rows, tmp_path):
    first = flair("init", "heart", "--columns-from", rows)
    again = flair("init", "heart", "--columns-from", rows)
    recipe = tmp_path / "work" / "heart" / "flair.toml"
    recipe.write_text(recipe.read_text().replace("max = 76.0", "max = 120.0"))
    looked_at = flair("init", "heart", "--columns-from", rows)

    assert "look at them" in first.err
    assert "look at them" in again.err
    assert "nothing was changed" in again.out
    assert "look at them" not in looked_at.err
    assert "max = 120.0" in recipe.read_text()


def test_no_statistics_and_another_target(flair, rows, tmp_path):
    ran = flair(*("init", "--columns-from", rows, "--target", "sex", "--no-statistics"))

    assert ran.code == 0
    recipe = parse_recipe((tmp_path / "work" / "flair.toml").read_bytes())
    assert (recipe.target, recipe.statistics) == ("sex", False)
    assert [column.name for column in recipe.columns] == ["age", "target"]


def test_weights_alone_name_no_model(flair, home, tmp_path):
    path = tmp_path / "big.safetensors"
    safetensors.numpy.save_file({"layer": np.ones((2, 3), np.float16)}, path)

    ran = flair("init", "big", "--weights", path)

    assert ran.code == 0
    folder = tmp_path / "work" / "big"
    assert (folder / "weights.safetensors").read_bytes() == path.read_bytes()
    assert parse_recipe((folder / "flair.toml").read_bytes()).model == ""


def test_weights_of_another_model_than_the_columns(flair, rows, tmp_path):
    path = tmp_path / "other.safetensors"
    tensors = {"linear.weight": np.zeros(3, np.float32)}
    tensors["linear.bias"] = np.zeros(1, np.float32)
    safetensors.numpy.save_file(tensors, path)

    ran = flair(
        *("init", "x", "--columns-from", rows, "--no-statistics", "--weights", path)
    )

    assert ran.code == 5
    assert "'linear.weight': expected F32 [2], got F32 [3]" in ran.err
    assert not (tmp_path / "work" / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("init",), 2, "needs columns, or a file of weights"),
        (("init", "--target", "x"), 2, "go with --columns-from"),
        (("init", "--columns-from", "nowhere.csv"), 2, "nowhere.csv"),
        (
            ("init", "--columns-from", "../rows.csv", "--target", "no"),
            1,
            "no column 'no'",
        ),
        (("init", "--weights", "../rows.csv"), 5, "rows.csv"),
        (("init", "--weights", "nowhere"), 2, "nowhere"),
    ],
)
def test_refuses(flair, rows, arguments, code, sentence):
    ran = flair(*arguments)

    assert ran.code == code
    assert sentence in ran.err
    assert ran.err.count("\n") <= 2
    assert not (rows.parent / "work" / ".flair").exists()


def test_what_will_be_published_is_told_and_nothing_else(flair, home):
    Path("rows.csv").write_text("age,target\n40,1\n50,0\n")
    Path("heart").mkdir()
    # A program of the user's own beside a recipe without code stays the user's.
    Path("heart/train.py").write_text("secret = 1\n")

    made = flair("init", "heart", "--columns-from", "rows.csv", "--json")
    shown = flair("init", "heart", "--columns-from", "rows.csv").out

    published = made.line["result"]["published"]
    names = ["flair.toml", "CARD.md", "weights.safetensors"]
    assert [one["name"] for one in published] == names
    assert published[0]["n_bytes"] == Path("heart/flair.toml").stat().st_size
    assert "PUBLISHED BY repo create" in shown
    assert "train.py" not in shown
