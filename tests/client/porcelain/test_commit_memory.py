"""What a commit of a large model holds in memory: about one tensor, never the model."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from flair_client.chain.accounts import encode_account
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.context import Context
from flair_client.encoding import commit_id, encode_commit, encode_recipe
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW
from flair_client.objects import CommitKind, Recipe, RecipeFile
from flair_client.porcelain.checkout import blocks_of, put_manifest
from flair_client.porcelain.commit import commit
from flair_client.porcelain.terms import Terms, policy_from_bytes, save_terms
from flair_client.porcelain.trust import save_trust
from flair_client.settings import NetworkProfile
from flair_client.store import MemoryStore
from flair_client.testing import ALICE, OWNER, PARAMS, REPO, make_policy
from flair_client.testing_objects import make_commit, sign
from flair_client.weights import import_weights, roles_by_pattern
from flair_client.workspace import RECIPE_FILE, Head, make_workspace

MIB = 1 << 20
N_TENSORS = 16
SIZE = 64 * MIB


def write_model(path, seed: int) -> None:
    """64 MiB of F32 in 16 tensors, so that one has 4 MiB."""
    random = np.random.default_rng(seed)
    n_values = SIZE // N_TENSORS // 4
    safetensors.numpy.save_file(
        {
            f"layer.{n:02d}": random.standard_normal(n_values, dtype=np.float32)
            for n in range(N_TENSORS)
        },
        path,
    )


@pytest.fixture(params=["within the norm", "clipped"])
def workspace(request, tmp_path):
    """A trusted clone of a model of 64 MiB, and its context."""
    profile = NetworkProfile("localnet", "http://x", None, PROGRAM_ID, "file:///x")
    ctx = Context(profile, None, MemoryStore(), ALICE, now=lambda: 1)
    made = make_workspace(tmp_path / "clone")
    store = blocks_of(ctx, made)
    write_model(made.weights_path, 0)
    recipe_text = b"[recipe]\nversion = 1\n"
    file = RecipeFile(
        path=RECIPE_FILE, size=len(recipe_text), cid=store.put(CODEC_RAW, recipe_text)
    )
    recipe = store.put(CODEC_DAG_CBOR, encode_recipe(Recipe(files=(file,))))
    manifest = import_weights(
        made.weights_path, store, roles_by_pattern([("train", ("*",))])
    )
    root = encode_commit(
        sign(
            make_commit(
                CommitKind.ROOT, weights=put_manifest(store, manifest), recipe=recipe
            )
        )
    )
    store.put(CODEC_DAG_CBOR, root)
    bound = 10**17 if request.param == "within the norm" else 10**9
    params = replace(
        PARAMS, bits=16, scale_exp=-12, n_params=SIZE // 4, norm_bound_sq=bound
    )
    policy = policy_from_bytes(ctx, encode_account(make_policy(0, params)))
    terms = Terms(REPO, "main", commit_id(root), 1, policy, OWNER.address, 0)
    save_terms(made, terms)
    save_trust(made, terms, recipe)
    made.set_head(Head("main", commit_id(root)))
    return ctx, made


def test_a_commit_of_64_mib_holds_a_few_tensors_at_most(workspace, tmp_path):
    ctx, made = workspace
    write_model(tmp_path / "new.safetensors", 1)
    tracemalloc.start()
    try:
        committed = commit(
            *(ctx, made),
            message="big",
            weights=tmp_path / "new.safetensors",
            num_samples=10,
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert committed.n_tensors == N_TENSORS
    # A tensor has 4 MiB, and 8 as float64; the whole update would have 128.
    assert peak < 24 * MIB
