"""Writes merging.json: merges of small models by every method, to the last bit.

Floats are written as `float.hex` does, so that nothing is rounded. Run it only when a
method changes on purpose; the tests compare it with the formulas in plain Python.
`python tests/vectors/make_merging.py`
"""

import json
from pathlib import Path

import numpy as np

from flair_client.merging import (
    METHODS,
    Inputs,
    MergeSpec,
    Side,
    check_spec,
    merge_models,
)
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_commit_id, make_manifest
from flair_client.weights import load_tensor

NAME = "layer.wéight"
N_VALUES = 12
UNIT = 10**9
BASE = make_commit_id(9)
PARAMS = {
    "linear": [{"normalize": 1}, {"normalize": 0}],
    "slerp": [{}],
    "task_arithmetic": [{"lambda_e9": 700_000_000, "normalize": 0}],
    "ties": [
        {"density_e9": 300_000_000, "lambda_e9": UNIT, "normalize": 1},
        {"density_e9": 500_000_000, "lambda_e9": 1_300_000_000, "normalize": 0},
    ],
    "dare_linear": [
        {"density_e9": 400_000_000, "lambda_e9": UNIT, "seed": 7}
        | {"normalize": 0, "rescale": 1}
    ],
    "dare_ties": [
        {"density_e9": 600_000_000, "lambda_e9": UNIT, "seed": 2**63 - 1}
        | {"normalize": 1, "rescale": 0}
    ],
}
WEIGHTS = {"slerp": [(700_000_000, 300_000_000)]}
DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


def inputs(dtype, n_models):
    """Numbers that are not round, the same on every machine: base, then models."""
    rng = np.random.Generator(np.random.Philox(key=20))
    drawn = rng.integers(-(2**20), 2**20, size=(n_models + 1, N_VALUES))
    return (drawn / 3e5).astype(dtype)


def vector(method, params, weights, dtype):
    """One merge: what goes in, what comes out."""
    store = MemoryStore()
    arrays = inputs(DTYPES[dtype], len(weights))
    manifests = [make_manifest(store, {NAME: array}) for array in arrays]
    commits = [make_commit_id(n) for n in range(1, len(weights) + 1)]
    takes_base = METHODS[method].takes_base
    models = tuple(zip(commits, weights, strict=True))
    spec = MergeSpec(method, params, models, BASE if takes_base else None)
    check_spec(spec)
    sides = tuple(map(Side, commits, manifests[1:]))
    base = Side(BASE, manifests[0]) if takes_base else None
    manifest = merge_models(store, spec, Inputs(sides[0], sides, base), store)
    values = load_tensor(manifest, manifest.tensors[0], store)
    return {
        "method": method,
        "params": params,
        "tensor": NAME,
        "dtype": dtype,
        "base": hexes(arrays[0]) if takes_base else None,
        "models": [
            {"commit": str(commit), "weight_e9": weight, "values": hexes(array)}
            for commit, weight, array in zip(commits, weights, arrays[1:], strict=True)
        ],
        "values": hexes(values),
        "digest": str(manifest.tensors[0].digest),
    }


def hexes(array):
    """Floats without rounding."""
    return [float(value).hex() for value in array]


def vectors():
    """All of them."""
    return [
        vector(method, params, weights, dtype)
        for method, several in PARAMS.items()
        for params in several
        for weights in WEIGHTS.get(method, [(UNIT, 300_000_000, 1_700_000_000)])
        for dtype in DTYPES
    ]


if __name__ == "__main__":
    path = Path(__file__).with_name("merging.json")
    path.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
