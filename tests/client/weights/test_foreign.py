import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open
from safetensors.numpy import load_file

from flair_client.errors import NotFinite, ObjectInvalid
from flair_client.objects import DType
from flair_client.store import MemoryStore
from flair_client.weights import import_weights, load_tensor, roles_by_pattern
from flair_client.weights.foreign import (
    ForeignWeights,
    TensorSource,
    fit,
    save_foreign,
    ties_of,
)
from flair_client.weights.npz_file import array_source
from flair_client.weights.opening import header_at

ONES = np.ones(3, np.float32)


def weights(ties=None, **arrays):
    sources = [array_source(name, value) for name, value in arrays.items()]
    return ForeignWeights(tuple(sources), ties or {})


@given(
    hnp.arrays(
        st.sampled_from(["<f8", ">f4", "<f2", "<i8", ">i4", "<i2", "i1", "u1", "?"]),
        hnp.array_shapes(min_dims=0, min_side=0),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    st.booleans(),
)
def test_any_array_comes_out_as_it_went_in(tmp_path_factory, array, turned):
    path = tmp_path_factory.mktemp("x") / "w.safetensors"

    save_foreign(path, weights(a=array.T if turned else array))

    loaded = load_file(path)["a"]
    assert loaded.shape == (array.T if turned else array).shape
    assert np.array_equal(loaded, array.T if turned else array)


def test_ties_are_in_the_header_as_the_safetensors_library_writes_them(tmp_path):
    path = tmp_path / "w.safetensors"

    save_foreign(path, weights({"head": "embed"}, embed=ONES), metadata={"by": "me"})

    with safe_open(path, "np") as file:
        assert file.metadata() == {"head": "embed", "by": "me"}
        assert list(file.keys()) == ["embed"]
    assert ties_of(header_at(path)) == {"head": "embed"}


def test_metadata_that_names_no_tensor_is_no_tie(tmp_path):
    path = tmp_path / "w.safetensors"

    save_foreign(
        path, weights(pt=ONES, b=ONES), metadata={"format": "pt", "x": "y", "pt": "b"}
    )

    assert ties_of(header_at(path)) == {}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named_and_nothing_is_left(tmp_path, bad):
    broken = np.array([0, bad], np.float16)

    with pytest.raises(NotFinite, match="tensor 'b': 1 values"):
        save_foreign(tmp_path / "w", weights(a=ONES, b=broken))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (weights(), "holds no tensor"),
        (
            ForeignWeights((array_source("a", ONES), array_source("a", ONES))),
            "'a' comes twice",
        ),
        (weights({"a": "a"}, a=ONES), "cannot be tied"),
        (weights({"b": "c"}, a=ONES), "cannot be tied"),
        (weights({"format": "a"}, a=ONES), "cannot be tied"),
        (
            ForeignWeights(
                (TensorSource("a", DType.F32, (2,), lambda: iter([b"1234"])),)
            ),
            "4 bytes instead of 8",
        ),
        (weights(**{"a" * 600: ONES}), "tensor 'aaa"),
    ],
)
def test_what_no_file_can_hold(tmp_path, bad, sentence):
    with pytest.raises(ObjectInvalid, match=sentence):
        save_foreign(tmp_path / "w", bad)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def model(tmp_path):
    """The header of a model with a tied name and a BF16 tensor."""
    half = TensorSource("half", DType.BF16, (3,), lambda: iter([b"\x80\x3f" * 3]))
    tensors = (array_source("embed", ONES), half)
    path = tmp_path / "model.safetensors"
    save_foreign(path, ForeignWeights(tensors, {"head": "embed"}))
    return header_at(path)


def test_new_weights_are_fitted_to_the_model(tmp_path, model):
    values = np.array([1.0, 1 + 2**-9, -3.140625], np.float32)
    new = weights(embed=ONES, head=ONES, half=values)

    save_foreign(tmp_path / "new", fit(new, model.spans, ties_of(model)))

    header = header_at(tmp_path / "new")
    assert {name: str(span.dtype) for name, span in header.spans.items()} == {
        "embed": "F32",
        "half": "BF16",
    }
    store = MemoryStore()
    manifest = import_weights(
        tmp_path / "new", store, roles_by_pattern([("train", ["*"])])
    )
    loaded = load_tensor(manifest, manifest.by_name()["half"], store)
    # A half of the last place goes to the even neighbour.
    assert loaded.tolist() == [1.0, 1.0, -3.140625]


def test_a_tied_name_with_other_values_is_refused(model):
    new = weights(embed=ONES, head=2 * ONES, half=ONES)

    with pytest.raises(ObjectInvalid, match="'head': is tied to 'embed'"):
        fit(new, model.spans, ties_of(model))
