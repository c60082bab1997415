"""`flair clone` and `flair pull` of a model whose base nobody trains."""

import contextlib
import shutil
import signal

import numpy as np
import pytest
import safetensors.numpy
from test_kill import KillServer, points_of, state
from work_world import running_net

from flair_client.porcelain.checkout import manifest_of
from flair_client.store.base import open_store
from flair_client.workspace import Workspace

N_BASE = 24
SHAPE = (64, 250)
BASE_BYTES = N_BASE * SHAPE[0] * SHAPE[1] * 4
HEAD_BYTES = 200 * 4


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture
def site(net, request):
    return net.person(request.node.name.replace("[", "-").replace("]", ""))


@pytest.fixture(scope="module")
def child():
    with contextlib.closing(KillServer()) as server:
        yield server


def publish(owner, name, *, int8=True):
    """A base of 24 frozen tensors of 64 kB, and a head of 800 bytes."""
    random = np.random.default_rng(3)
    tensors = {
        f"base.{n}": random.standard_normal(SHAPE, dtype=np.float32)
        for n in range(N_BASE)
    }
    tensors["head"] = np.zeros(200, np.float32)
    safetensors.numpy.save_file(tensors, owner.folder / "big.safetensors")
    owner.json("init", name, "--weights", "big.safetensors")
    folder = owner.folder / name
    recipe = folder / "flair.toml"
    text = recipe.read_text().replace("frozen = []", 'frozen = ["base.*"]')
    if int8:
        text = text.replace("[training]\n", "[training]\nint8_base = true\n")
    recipe.write_text(text)
    flags = ("--open", "--min-updates", 1)
    return owner.json("repo", "create", name, *flags, cwd=folder)["repo"]


@pytest.fixture(scope="module")
def model(owner):
    return publish(owner, "model")


def load(folder, name="weights.safetensors"):
    return safetensors.numpy.load_file(folder / name)


def n_cached(folder):
    return sum(1 for _ in Workspace(folder).cache())


def test_a_light_clone_fetches_a_third_and_a_full_one_all(site, owner, model):
    light = site.json("clone", model, "light", "--trust")["fetched"]
    full = site.json("clone", model, "full", "--trust", "--full")["fetched"]
    told = site("clone", model, "again", "--trust")

    assert light["model_bytes"] == full["model_bytes"] == BASE_BYTES + HEAD_BYTES
    assert (light["is_light"], full["is_light"]) == (True, False)
    assert BASE_BYTES / 5 < light["n_bytes"] < BASE_BYTES / 3.5
    assert full["n_bytes"] > BASE_BYTES * 0.9
    assert "the whole model has 1.5 MiB; frozen tensors are here" in told.err
    whole, small = load(owner.folder / "model"), load(site.folder / "light")
    for name, values in whole.items():
        assert np.abs(values - small[name]).max() <= np.abs(values).max() / 250
    assert np.array_equal(whole["head"], small["head"])
    same = load(site.folder / "full")
    assert all(np.array_equal(same[name], whole[name]) for name in whole)


def test_without_the_recipes_word_there_is_no_light_form(site, owner):
    address = publish(owner, "exact", int8=False)

    fetched = site.json("clone", address, "clone", "--trust")["fetched"]

    assert fetched["is_light"] is False
    assert fetched["n_bytes"] > BASE_BYTES * 0.9


def test_checks_of_a_light_clone_and_the_way_to_the_full_form(site, owner, model):
    site.json("clone", model, "clone", "--trust")
    folder = site.folder / "clone"
    checked = site.json("fsck", cwd=folder)
    there = n_cached(folder)

    full = site.json("pull", "--full", cwd=folder)["fetched"]
    nothing = site.json("pull", cwd=folder)["fetched"]
    light = site.json("pull", "--light", cwd=folder)["fetched"]

    assert (checked["faults"], checked["weights_differ"]) == ([], False)
    assert full["n_blocks"] == n_cached(folder) - there == N_BASE
    assert nothing["n_blocks"] == light["n_blocks"] == 0
    assert (full["is_light"], nothing["is_light"], light["is_light"]) == (
        *(False, False),
        True,
    )
    assert site.json("fsck", cwd=folder)["faults"] == []


def test_an_export_of_a_light_clone_is_the_published_file(site, owner, model):
    site.json("clone", model, "clone", "--trust")
    folder = site.folder / "clone"

    site.json("export", "-o", "full.safetensors", cwd=folder)
    verified = site.json("verify", cwd=folder)

    published = (owner.folder / "big.safetensors").read_bytes()
    assert (folder / "full.safetensors").read_bytes() == published
    assert verified["branches"]


def test_training_pushing_and_pulling_leave_the_base_where_it_is(site, owner):
    address = publish(owner, "trained")
    site.json("clone", address, "clone", "--trust")
    folder = site.folder / "clone"
    tensors = load(folder)
    tensors["head"] = tensors["head"] + np.float32(0.25)
    safetensors.numpy.save_file(tensors, site.folder / "new.safetensors")
    words = ("--weights", "../new.safetensors", "--num-samples", 9)
    site.json("commit", "-m", "x", *words, cwd=folder)
    sent = site.json("push", cwd=folder)
    # The owner moves the head alone, from a light clone of its own.
    owner.json("clone", address, "elsewhere", "--trust")
    place = owner.folder / "elsewhere"
    safetensors.numpy.save_file(tensors, owner.folder / "tuned.safetensors")
    snapshot = ("commit", "--snapshot", "-m", "x", "--weights", "../tuned.safetensors")
    owner.json(*snapshot, cwd=place)
    owner.json("push", "--yes", cwd=place)

    pulled = site.json("pull", cwd=folder)["fetched"]

    assert sum(one["size"] for one in sent["blocks"]) < 30_000
    assert pulled["n_bytes"] < 30_000
    assert pulled["model_bytes"] == BASE_BYTES + HEAD_BYTES
    assert np.array_equal(load(folder)["head"], tensors["head"])
    # What was never changed is the published base, not what a light form gives.
    site.json("export", "-o", "full.safetensors", cwd=folder)
    whole, now = load(owner.folder / "trained"), load(folder, "full.safetensors")
    assert np.array_equal(now["base.0"], whole["base.0"])
    assert owner("verify", address).code == 0


def test_a_killed_transfer_fetches_no_block_twice(child, site, owner, net):
    address = publish(owner, "killed")
    words = ("clone", address, "whole", "--trust", "--full", "--json")
    assert child(site, *words, cwd=site.folder).code == 0
    expected = state(site.folder / "whole")
    n_blocks = n_cached(site.folder / "whole")
    assert n_blocks > 2 * N_BASE

    partly = 0
    for point in points_of(child.points):
        name = f"at-{point}"
        words = ("clone", address, name, "--trust", "--full", "--json")
        killed = child(site, *words, cwd=site.folder, point=point)
        here = site.folder / name
        there = n_cached(here) if (here / ".flair" / "objects").is_dir() else 0
        again = child(site, *words, cwd=site.folder)

        assert killed.code == -signal.SIGKILL, point
        fetched = again.result["fetched"]
        # None where the clone had been finished but for its last words.
        n_fetched = 0 if fetched is None else fetched["n_blocks"]
        assert there + n_fetched == n_blocks, point
        assert state(here) == expected, point
        partly += 0 < there < n_blocks
    assert partly >= 4


def test_a_killed_pull_of_the_full_form_goes_on(child, site, model):
    site.json("clone", model, "before", "--trust")
    before = site.folder / "before"
    whole = shutil.copytree(before, site.folder / "whole")
    assert child(site, "pull", "--full", "--json", cwd=whole).code == 0
    expected, n_blocks = state(whole), n_cached(whole)

    for point in points_of(child.points)[::2]:
        place = shutil.copytree(before, site.folder / f"at-{point}")
        killed = child(site, "pull", "--full", cwd=place, point=point)
        there = n_cached(place)
        again = child(site, "pull", "--full", "--json", cwd=place)

        assert killed.code == -signal.SIGKILL, point
        assert there + again.result["fetched"]["n_blocks"] == n_blocks, point
        assert state(place) == expected, point


def test_a_store_that_lacks_the_light_form_is_named(site, owner, net):
    address = publish(owner, "lost")
    folder = owner.folder / "lost"
    store = open_store(net.store)
    cache = Workspace(folder).cache()
    head = Workspace(folder).head().commit
    entry = manifest_of(cache, head).by_name()["base.0"]
    blocks = {cid: store.get(cid) for cid in entry.light.blocks}
    for cid in blocks:
        store.delete(cid)

    refused = site("clone", address, "clone", "--trust")
    for cid, block in blocks.items():
        store.put(cid.codec, block)

    assert refused.code == 5
    assert "missing" in refused.err
    assert site("clone", address, "clone", "--trust").code == 0
