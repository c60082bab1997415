import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import ObjectInvalid, ObjectTooLarge
from flair_client.training.recipe import (
    DEFAULT_ROLES,
    MAX_RECIPE_BYTES,
    Column,
    TrainingRecipe,
    parse_recipe,
    recipe_text,
)

TEXT = """
[recipe]
model = "logistic-regression"
[data]
target = "ill"
columns = [{ name = "age", min = 20, max = 100 }]
"""

names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
columns = st.lists(
    st.builds(
        lambda name, low, width: Column(name, low, low + width),
        names,
        st.floats(-1e6, 1e6),
        st.floats(0.5, 1e6),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda column: column.name,
)
recipes = st.builds(
    TrainingRecipe,
    model=st.just("logistic-regression"),
    columns=columns.map(tuple),
    target=names,
    statistics=st.booleans(),
    statistics_min_rows=st.integers(1, 1000),
    epochs=st.integers(1, 100),
    learning_rate=st.floats(1e-6, 10),
    batch_size=st.integers(1, 1000),
    l2=st.floats(0, 1),
    seed=st.integers(0, 2**63 - 1),
    roles=st.just(DEFAULT_ROLES),
    metrics=st.lists(names, max_size=3).map(tuple),
    policy=st.sampled_from(
        (
            {"min_updates": 2},
            {"strategy": "krum", "strategy_params": {"f": 2}, "min_updates": 7},
        )
    ),
)


@given(recipes)
def test_a_recipe_written_and_read_is_the_same(recipe):
    assert parse_recipe(recipe_text(recipe)) == recipe


def test_a_short_recipe_has_sensible_defaults():
    recipe = parse_recipe(TEXT)

    assert recipe.columns == (Column("age", 20, 100),)
    assert recipe.epochs == 20
    assert not recipe.statistics
    assert recipe.metrics == ()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("max = 100", "max = 20"), "flair.toml.data.columns[0]"),
        (("max = 100", "max = inf"), "flair.toml.data.columns[0].max"),
        (("max = 100", "max = true"), "flair.toml.data.columns[0].max"),
        (("max = 100", "most = 100"), "flair.toml.data.columns[0].max"),
        (("max = 100 }", "max = 100, unit = 'y' }"), "flair.toml.data.columns[0].unit"),
        (('name = "age"', 'name = ""'), "flair.toml.data.columns[0].name"),
        (("columns = [", "rows = 1\ncolumns = ["), "flair.toml.data.rows"),
        (('"logistic-regression"', '"magic"'), "flair.toml.recipe.model"),
        (('model = "logistic-regression"', "version = 2"), "flair.toml.recipe.version"),
        (("[data]", "[training]\nepochs = 0\n[data]"), "flair.toml.training.epochs"),
        (("[data]", "[training]\nl2 = -1\n[data]"), "flair.toml.training.l2"),
        (("[data]", "[training]\nseed = 1.5\n[data]"), "flair.toml.training.seed"),
        (("[data]", "[tensors]\ntrain = 'x'\n[data]"), "flair.toml.tensors.train"),
        (("[data]", "[surprise]\n[data]"), "flair.toml.surprise"),
        (("[recipe]", "policy = 3\n[recipe]"), "flair.toml.policy"),
        (('target = "ill"', "target = ["), "flair.toml"),
        (("}]", "}, { name = 'age', min = 0, max = 1 }]"), "flair.toml.data.columns"),
    ],
)
def test_refuses_a_recipe_and_names_the_field(change, place):
    with pytest.raises(ObjectInvalid) as refused:
        parse_recipe(TEXT.replace(*change))

    assert refused.value.path == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = " + "[" * 50_000, "flair.toml"),
        ("a = " + "{b=" * 20_000, "flair.toml"),
        ("[policy]\na" + ".a" * 100_000 + " = 1", "flair.toml"),
        ("[a" + ' . "a"' * 20_000 + "]", "flair.toml"),
        ("[policy]\na.b.c = 1", "flair.toml.policy.a"),
        ("a = " + "9" * 5_000, "flair.toml"),
        ("[policy]\nbits = [16]", "flair.toml.policy.bits"),
        ("[policy.strategy_params]\nf.x = 1", "flair.toml.policy.strategy_params.f"),
        ("[policy]\nstrategy_params = 1", "flair.toml.policy.strategy_params"),
        (
            "[policy.strategy_params]\nstrategy_params.x = 1",
            "flair.toml.policy.strategy_params.strategy_params",
        ),
    ],
    ids=[
        *("lists", "tables", "dotted", "header", "nested", "digits", "a list"),
        *("in a parameter", "a number of parameters", "parameters in parameters"),
    ],
)
def test_refuses_what_goes_on_within_itself_without_end(text, place):
    with pytest.raises(ObjectInvalid) as refused:
        parse_recipe(text)

    assert refused.value.path == place


def test_refuses_a_recipe_longer_than_any():
    with pytest.raises(ObjectTooLarge):
        parse_recipe("#" * (MAX_RECIPE_BYTES + 1))


def test_refuses_a_built_in_model_without_columns():
    with pytest.raises(ObjectInvalid, match="no column is declared"):
        parse_recipe('[recipe]\nmodel = "logistic-regression"\n')


INPUTS = """
[recipe]
model = "python"
[data]
{target}
[[data.inputs]]
name = "x"
dtype = "float32"
shape = [-1, 1, 8, 8]
min = 0
[[data.inputs]]
name = "label"
dtype = "int64"
shape = [-1]
"""


def test_code_and_arrays_come_back_as_they_were_written():
    text = """
[recipe]
model = "python"
entry = "train:fit"
requirements = ["torch==2.15.0", "scikit-learn[extra]==1.9.1"]
[model]
class = "model:Net"
framework = "torch"
[data]
target = "y"
[[data.inputs]]
name = "x"
shape = [-1, 3, -1]
max = 2.5
[[data.inputs]]
name = "y"
dtype = "int64"
[training]
prox_mu = 0.5
early_stop_patience = 3
max_seconds = 60
max_memory_bytes = 100000000
int8_base = true
options = { hidden = 4, rate = 0.5, wide = true, kind = "a" }
"""
    recipe = parse_recipe(text)

    assert parse_recipe(recipe_text(recipe)) == recipe
    assert recipe.has_code
    assert recipe.entry == "train:fit"
    assert recipe.requirements == ("torch==2.15.0", "scikit-learn[extra]==1.9.1")
    assert (recipe.inputs[0].shape, recipe.inputs[0].dtype) == ((-1, 3, -1), "float32")
    assert (recipe.inputs[0].min, recipe.inputs[0].max) == (None, 2.5)
    assert recipe.options == {"hidden": 4, "rate": 0.5, "wide": True, "kind": "a"}


@pytest.mark.parametrize(
    ("target", "is_read"),
    [('target = "label"', "label"), ('target = ""', ""), ("", "")],
)
def test_the_target_of_arrays_is_one_of_them_or_none(target, is_read):
    assert parse_recipe(INPUTS.replace("{target}", target)).target == is_read


def test_a_target_that_no_input_declares_is_refused_with_the_line_to_add():
    text = INPUTS.replace("{target}", 'target = "y"')

    with pytest.raises(ObjectInvalid, match=r"\[\[data.inputs\]\] with name = \"y\""):
        parse_recipe(text)


@pytest.mark.parametrize(
    ("table", "line", "sentence"),
    [
        ("recipe", 'model = "java"', "recipe.model: 'java' is not a known model"),
        ("recipe", 'entry = "os:system"', "neither model:NAME nor train:NAME"),
        ("recipe", 'entry = "train:a.b"', "neither model:NAME nor train:NAME"),
        ("recipe", 'requirements = ["torch"]', "'torch' is not pinned"),
        ("recipe", 'requirements = ["torch>=2"]', "is not pinned as NAME==VERSION"),
        ("recipe", 'requirements = ["a==1; rm -rf"]', "is not pinned"),
        ("recipe", 'requirements = ["git+https://x==1"]', "is not pinned"),
        ("recipe", 'requirements = ["--index-url==1"]', "is not pinned"),
        ("model", 'class = "pkg.mod:Net"', "neither model:NAME nor train:NAME"),
        ("model", 'framework = "jax"', "'jax' is none of 'torch', 'sklearn', 'numpy'"),
        ("training", "prox_mu = -1", "training.prox_mu: is not in 0.0 to"),
        ("training", "max_seconds = 0", "max_seconds: is not in 1 to"),
        ("training", "max_memory_bytes = 5", "max_memory_bytes: is not in"),
        ("training", "early_stop_patience = 1.5", "is not a whole number"),
        ("training", "options = { a = [1] }", "options.a: is not a short text"),
        ("training", "options = { 'a b' = 1 }", "'a b' is no name of an option"),
        ("training", "options = { a = nan }", "options.a: is not in"),
        ("data", 'inputs = [{ name = "x", shape = [3] }]', "begin with -1"),
        ("data", 'inputs = [{ name = "x", shape = [-1, 0] }]', "neither a size nor -1"),
        ("data", 'inputs = [{ name = "x", dtype = "object" }]', "'object' is none of"),
        ("data", "inputs = [{ shape = [-1] }]", "inputs[0].name: is missing"),
        ("data", 'inputs = [{ name = "x", min = 2, max = 1 }]', "min is not below max"),
        ("data", 'inputs = [{ name = "x" }, { name = "x" }]', "declared twice"),
        (
            "data",
            'inputs = [{ name = "x" }]\ncolumns = [{ name = "a", min = 0, max = 1 }]',
            "columns and inputs are both declared",
        ),
    ],
)
def test_what_no_recipe_with_code_can_say(table, line, sentence):
    with pytest.raises(ObjectInvalid, match=re.escape(sentence)):
        parse_recipe(f"[{table}]\n{line}\n")
