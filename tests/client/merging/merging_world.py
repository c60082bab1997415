"""Small models, and a merge of them in one call."""

import numpy as np

from flair_client.merging import Asked, Inputs, Side, make_spec, merge_models
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_commit_id, make_manifest
from flair_client.weights import load_tensor

BASE = make_commit_id(99)
HEAD = make_commit_id(98)


def as_manifest(store, model, roles=None):
    """A manifest of tensors by name, or of one list of float64 called `w`."""
    if not isinstance(model, dict):
        model = {"w": np.array(model, np.float64)}
    return make_manifest(store, model, roles)


def merged(
    method,
    models,
    *,
    weights=(),
    base=None,
    params=None,
    seed=None,
    form=None,
    ids=None,
    store=None,
    roles=None,
):
    """The manifest of a merge of models given as tensors, of commits 1, 2, …"""
    store = store or MemoryStore()
    commits = [make_commit_id(n) for n in ids or range(1, len(models) + 1)]
    spec = make_spec(
        Asked(
            method,
            commits,
            {name: str(value) for name, value in (params or {}).items()},
            [str(weight) for weight in weights],
            None if base is None else BASE,
            seed,
        )
    )
    manifests = {
        commit: one if hasattr(one, "tensors") else as_manifest(store, one, roles)
        for commit, one in zip(commits, models, strict=True)
    }
    sides = [Side(commit, manifests[commit]) for commit, _ in spec.models]
    if base is not None and not hasattr(base, "tensors"):
        base = as_manifest(store, base, roles)
    inputs = Inputs(
        Side(HEAD, form or manifests[commits[0]]),
        tuple(sides),
        None if base is None else Side(BASE, base),
    )
    return store, merge_models(store, spec, inputs, store)


def values(method, models, *, name="w", **how):
    """The values of one tensor of such a merge."""
    store, manifest = merged(method, models, **how)
    return load_tensor(manifest, manifest.by_name()[name], store)
