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
    policy=st.just({"min_updates": 2}),
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


def test_refuses_a_recipe_longer_than_any():
    with pytest.raises(ObjectTooLarge):
        parse_recipe("#" * (MAX_RECIPE_BYTES + 1))


def test_refuses_a_built_in_model_without_columns():
    with pytest.raises(ObjectInvalid, match="no column is declared"):
        parse_recipe('[recipe]\nmodel = "logistic-regression"\n')
