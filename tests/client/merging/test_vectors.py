"""The merges of merging.json, by Flair and by the formulas in plain Python."""

import json
from pathlib import Path

import merging_reference as reference
import numpy as np
import pytest

from flair_client.ids import CommitId
from flair_client.merging import Inputs, MergeSpec, Side, check_spec, merge_models
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_commit_id, make_manifest
from flair_client.weights import load_tensor

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "merging.json").read_text("utf-8")
)
DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
BASE = make_commit_id(9)


def named(vector):
    return f"{vector['method']}-{vector['dtype']}"


def floats(hexes):
    return [float.fromhex(text) for text in hexes]


def side(store, vector, commit, hexes):
    values = np.array(floats(hexes), DTYPES[vector["dtype"]])
    return Side(commit, make_manifest(store, {vector["tensor"]: values}))


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_flair_gives_these_bytes(vector):
    store = MemoryStore()
    models = [(CommitId.parse(m["commit"]), m["weight_e9"]) for m in vector["models"]]
    has_base = vector["base"] is not None
    spec = MergeSpec(
        vector["method"], vector["params"], tuple(models), BASE if has_base else None
    )
    check_spec(spec)
    sides = tuple(
        side(store, vector, commit, model["values"])
        for (commit, _), model in zip(models, vector["models"], strict=True)
    )
    base = side(store, vector, BASE, vector["base"]) if has_base else None

    manifest = merge_models(store, spec, Inputs(sides[0], sides, base), store)

    (entry,) = manifest.tensors
    assert load_tensor(manifest, entry, store).tolist() == floats(vector["values"])
    assert str(entry.digest) == vector["digest"]


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_the_formulas_give_these_values(vector):
    models = [floats(model["values"]) for model in vector["models"]]
    weights = [model["weight_e9"] / 1e9 for model in vector["models"]]
    base = vector["base"] and floats(vector["base"])

    expected = by_formula(vector, models, weights, base)

    dtype = DTYPES[vector["dtype"]]
    rounded = np.array(expected, np.float64).astype(dtype)
    if vector["method"] == "slerp":
        # `math` is not the same on every machine; a unit in the last place.
        assert np.allclose(rounded, floats(vector["values"]), rtol=1e-15, atol=0)
    else:
        assert rounded.tolist() == floats(vector["values"])


def by_formula(vector, models, weights, base):
    method, params = vector["method"], vector["params"]
    mixing = {"normalize": bool(params.get("normalize"))}
    if method == "linear":
        return reference.linear(models, weights, **mixing)
    if method == "slerp":
        return reference.slerp(*models, weights[1])
    mixing["lambda_"] = params["lambda_e9"] / 1e9
    if method == "task_arithmetic":
        return reference.task_arithmetic(models, weights, base, **mixing)
    density = params["density_e9"] / 1e9
    if method == "ties":
        return reference.ties(models, weights, base, density, **mixing)
    masks = [
        reference.dare_mask(
            params["seed"],
            bytes.fromhex(model["commit"]),
            vector["tensor"],
            params["density_e9"],
            len(base),
        )
        for model in vector["models"]
    ]
    return reference.dare(
        *(models, weights, base, masks, density),
        elect=method == "dare_ties",
        rescale=bool(params["rescale"]),
        **mixing,
    )
