from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.errors import ObjectInvalid
from flair_client.objects import DType, Role
from flair_client.training.recipe import parse_recipe, recipe_text
from flair_client.weights import roles_by_pattern
from flair_client.weights.proposals import (
    RoleProposal,
    TensorKind,
    patterns_for,
    propose_roles,
    roles_now,
)
from flair_client.weights.safetensors_file import TensorSpan


def span(name, dtype=DType.F32, shape=(2,)):
    return TensorSpan(name, dtype, shape, 0, 0)


def proposal(name, role=Role.TRAIN, dtype=DType.F32):
    return RoleProposal(name, dtype, (2,), role, "test")


def roles(proposals):
    return {one.name: one.role.value for one in proposals}


def test_names_tell_where_no_framework_does():
    proposals = propose_roles(
        [
            span("conv.weight"),
            span("bn.weight", DType.BF16),
            span("bn.running_mean"),
            span("bn.running_var"),
            span("bn.num_batches_tracked", DType.I64, ()),
            span("mask", DType.BOOL),
        ],
        {},
    )

    assert roles(proposals) == {
        "bn.num_batches_tracked": "frozen",
        "bn.running_mean": "local",
        "bn.running_var": "local",
        "bn.weight": "train",
        "conv.weight": "train",
        "mask": "frozen",
    }


def test_a_framework_knows_better_than_names():
    kinds = {
        "running_mean": TensorKind.PARAMETER,
        "mean": TensorKind.NORM,
        "positions": TensorKind.BUFFER,
        "embed": TensorKind.FIXED,
        "ids": TensorKind.BUFFER,
    }
    spans = [span(name) for name in kinds if name != "ids"] + [span("ids", DType.I64)]

    assert roles(propose_roles(spans, {}, kinds)) == {
        "embed": "frozen",
        "ids": "frozen",
        "mean": "local",
        "positions": "local",
        "running_mean": "train",
    }


def test_tied_names_are_told():
    (one,) = propose_roles([span("embed")], {"head": "embed", "also": "embed"})

    assert one.tied == ("also", "head")


def test_patterns_are_short_where_names_end_alike():
    proposals = [
        proposal("a.running_mean", Role.LOCAL),
        proposal("b.running_mean", Role.LOCAL),
        proposal("a.weight"),
        proposal("b.weight", Role.FROZEN),
        proposal("mean", Role.LOCAL),
    ]

    assert patterns_for(proposals) == (
        ("average", ()),
        ("local", ("*.running_mean", "mean")),
        ("frozen", ("b.weight",)),
        ("train", ("*",)),
    )


LETTERS = st.text("ab.*?[]!é", min_size=1, max_size=6)
LONG = st.builds("".join, st.lists(LETTERS, min_size=1, max_size=60))


@given(
    st.dictionaries(
        LETTERS | LONG,
        st.sampled_from(
            [(role, DType.F32) for role in Role] + [(Role.FROZEN, DType.I64)]
        ),
    )
)
def test_patterns_give_back_exactly_the_roles(named):
    proposals = [proposal(name, *what) for name, what in named.items()]
    try:
        patterns = patterns_for(proposals)
    except ObjectInvalid as exc:
        # Only a name longer than any pattern can be beyond what a recipe can say.
        assert max(map(len, named)) > 64, exc  # noqa: PT017
        return
    recipe = parse_recipe(recipe_text(recipe_with(patterns)))

    role_of = roles_by_pattern(recipe.roles)

    assert {one.name: role_of(one.name, one.dtype) for one in proposals} == {
        one.name: one.role for one in proposals
    }
    assert roles_now(proposals, role_of) == tuple(proposals)


def recipe_with(patterns):
    from dataclasses import replace

    return replace(parse_recipe(""), roles=patterns)


def test_a_long_name_is_found_by_its_end():
    long = "x" * 200
    (_, local, _, _) = patterns_for([proposal(f"{long}.a", Role.LOCAL), proposal("b")])

    assert local[1] == ("*.a",)
    (_, local, _, _) = patterns_for([proposal(long, Role.LOCAL), proposal("b")])
    assert all(fnmatchcase(long, one) and len(one) <= 128 for one in local[1])


def test_two_long_names_that_end_alike_cannot_be_told_apart():
    both = [proposal("a" + "x" * 300, Role.LOCAL), proposal("b" + "x" * 300)]

    with pytest.raises(ObjectInvalid, match="no pattern of a recipe can name it"):
        patterns_for(both)


def test_roles_of_a_recipe_that_was_changed():
    proposals = propose_roles([span("a"), span("b")], {})

    now = roles_now(proposals, roles_by_pattern([("frozen", ["b"]), ("train", ["*"])]))

    assert [(one.role.value, one.reason) for one in now] == [
        ("train", "floats"),
        ("frozen", "by the recipe"),
    ]
