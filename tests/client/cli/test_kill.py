"""Commands killed at many points: the same command again ends as if never killed."""

import contextlib
import json
import os
import shutil
import signal

import numpy as np
import pytest
import safetensors.numpy
from killing import N_SPREAD, KillServer, points_of, state
from work_world import running_net

from flair_client.encoding import decode_commit
from flair_client.ids import Cid, CommitId
from flair_client.store.base import open_store
from flair_client.workspace import Workspace


@pytest.fixture(scope="module")
def child():
    with contextlib.closing(KillServer()) as server:
        yield server


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


def publish(owner, name):
    """A model of six tensors of 96 KB; gives the address."""
    random = np.random.default_rng(3)
    tensors = {
        f"layer.{n}": random.standard_normal((120, 200), dtype=np.float32)
        for n in range(6)
    }
    safetensors.numpy.save_file(tensors, owner.folder / "big.safetensors")
    owner.json("init", name, "--weights", "big.safetensors")
    flags = ("--open", "--min-updates", 1)
    return owner.json("repo", "create", name, *flags, cwd=owner.folder / name)["repo"]


@pytest.fixture(scope="module")
def model(owner):
    return publish(owner, "model")


@pytest.fixture
def site(net, request):
    return net.person(request.node.name.replace("[", "-").replace("]", ""))


def retrained(path, target, seed=4):
    """Writes the weights of a file, each moved by some noise."""
    random = np.random.default_rng(seed)
    tensors = {
        name: tensor + random.normal(0, 0.1, tensor.shape).astype(tensor.dtype)
        for name, tensor in safetensors.numpy.load_file(path).items()
    }
    safetensors.numpy.save_file(tensors, target)
    return target


def test_clone(child, site, model):
    assert child(site, "clone", model, "whole", "--trust", cwd=site.folder).code == 0
    expected = state(site.folder / "whole")

    for point in points_of(child.points):
        words = ("clone", model, f"at-{point}", "--trust")
        killed = child(site, *words, cwd=site.folder, point=point)
        again = child(site, *words, cwd=site.folder)

        assert killed.code == -signal.SIGKILL, point
        assert again.code == 0, (point, again.err)
        assert state(site.folder / f"at-{point}") == expected, point


def test_clone_interrupted_by_hand(child, site, model):
    assert child(site, "clone", model, "whole", "--trust", cwd=site.folder).code == 0
    expected = state(site.folder / "whole")

    for point in points_of(child.points)[2:-2:3]:
        words = ("clone", model, f"at-{point}", "--trust")
        stopped = child(site, *words, cwd=site.folder, point=point, how=signal.SIGINT)
        again = child(site, *words, cwd=site.folder)

        assert stopped.code == 130, point
        assert stopped.err.startswith("error: interrupted"), stopped.err
        assert again.code == 0, (point, again.err)
        assert state(site.folder / f"at-{point}") == expected, point


def test_pull(child, site, owner, net):
    address = publish(owner, "pulled")
    site.json("clone", address, "before", "--trust")
    folder = owner.folder / "pulled"
    tuned = retrained(
        folder / "weights.safetensors", owner.folder / "tuned.safetensors"
    )
    recipe = folder / "flair.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 20", "epochs = 7"))
    snapshot = ("commit", "--snapshot", "-m", "x", "--weights", tuned)
    head = owner.json(*snapshot, cwd=folder)["commit"]
    owner.json("push", cwd=folder)

    def fresh(name):
        return shutil.copytree(site.folder / "before", site.folder / name)

    whole = fresh("whole")
    assert child(site, "pull", cwd=whole).code == 0
    expected = state(whole)
    assert head in (whole / ".flair" / "HEAD").read_text()

    for point in points_of(child.points):
        place = fresh(f"at-{point}")
        killed = child(site, "pull", cwd=place, point=point)
        again = child(site, "pull", cwd=place)

        assert killed.code == -signal.SIGKILL, point
        assert again.code == 0, (point, again.err)
        assert state(place) == expected, point


def delta_of(folder):
    """The pending commit's delta: what is the same whenever it is made."""
    workspace = Workspace(folder)
    pending = CommitId.parse(workspace.marker("pending")["commit"])
    return decode_commit(workspace.cache().get(pending.cid)).delta


def test_commit(child, site, model):
    site.json("clone", model, "before", "--trust")
    before = site.folder / "before"
    new = retrained(before / "weights.safetensors", site.folder / "new.safetensors")
    words = ("commit", "-m", "x", "--weights", new, "--num-samples", 9)
    whole = shutil.copytree(before, site.folder / "whole")
    assert child(site, *words, cwd=whole).code == 0
    expected = delta_of(whole)

    for point in points_of(child.points):
        place = shutil.copytree(before, site.folder / f"at-{point}")
        killed = child(site, *words, cwd=place, point=point)
        again = child(site, *words, cwd=place)
        plan = site("push", "--dry-run", cwd=place)

        assert killed.code == -signal.SIGKILL, point
        assert again.code == 0, (point, again.err)
        assert delta_of(place) == expected
        assert plan.code == 0, (point, plan.err)
        names = {name for name in state(place) if name.startswith(".flair/objects")}
        # A commit that was signed and not written down any more stays as a block.
        assert len(names) <= len(state_blocks(whole)) + 1


def state_blocks(folder):
    return [name for name in state(folder) if name.startswith(".flair/objects")]


def committed(site, model):
    """A clone with an update that waits to be pushed."""
    site.json("clone", model, "clone", "--trust")
    folder = site.folder / "clone"
    new = retrained(folder / "weights.safetensors", site.folder / "new.safetensors")
    words = ("commit", "-m", "x", "--weights", new, "--num-samples", 9)
    return site.json(*words, cwd=folder)["commit"]


def test_push_into_a_round_in_progress(child, site, owner, model, net):
    commit = committed(site, model)
    clone = site.folder / "clone"
    listed = site.json("push", "--dry-run", cwd=clone)["blocks"]
    whole = shutil.copytree(clone, site.folder / "whole")
    site.json("round", "open", cwd=whole)
    assert child(site, "push", cwd=whole).code == 0
    expected = state(whole)
    n_killed = 0

    for point in points_of(child.points):
        # As before the first push: the update is neither on chain nor in the store.
        site.json("update", "withdraw", cwd=whole)
        for block in listed:
            open_store(net.store).delete(Cid.parse(block["cid"]))
        place = shutil.copytree(clone, site.folder / f"at-{point}")
        before = owner.json("repo", "show", model)["event_seq"]
        killed = child(site, "push", cwd=place, point=point)
        again = child(site, "push", cwd=place)
        updates = owner.json("update", "list", "--repo", model)["updates"]

        n_killed += killed.code == -signal.SIGKILL
        assert_pushed(again, commit, point)
        assert state(place) == expected, point
        assert [one["commit_id"] for one in updates] == [commit], point
        # One event, and only one, however often it was sent.
        assert owner.json("repo", "show", model)["event_seq"] == before + 1, point
        store = open_store(net.store)
        for block in listed:
            assert len(store.get(Cid.parse(block["cid"]))) == block["size"], point
    # The chain is asked again and again until it has confirmed: points vary a little.
    assert n_killed >= N_SPREAD // 2
    site.json("update", "withdraw", cwd=whole)


def assert_pushed(again, commit, point):
    """The second run finished the push, or the first had, and only not said so."""
    assert again.code == 0, (point, again.err)
    assert commit[:12] in again.out, (point, again.out)


def test_push_that_opens_the_round(child, site, owner):
    address = publish(owner, "opened")
    commit = committed(site, address)
    whole = shutil.copytree(site.folder / "clone", site.folder / "whole")
    assert child(site, "push", cwd=whole).code == 0
    n_points = child.points

    # Everything from the request that opens the round to the update's.
    for number, point in enumerate(range(n_points // 3, n_points, n_points // 6)):
        address = publish(owner, f"opened-{number}")
        folder = site.folder / f"clone-{number}"
        site.json("clone", address, folder, "--trust")
        new = site.folder / "new.safetensors"
        words = ("commit", "-m", "x", "--weights", new, "--num-samples", 9)
        commit = site.json(*words, cwd=folder)["commit"]
        killed = child(site, "push", cwd=folder, point=point)
        again = child(site, "push", cwd=folder)
        updates = owner.json("update", "list", "--repo", address)["updates"]

        assert killed.code in (0, -signal.SIGKILL), point
        assert_pushed(again, commit, point)
        assert [one["commit_id"] for one in updates] == [commit], point
        # Repository, policy, branch, root, round, update.
        assert owner.json("repo", "show", address)["event_seq"] == 6, point


def test_a_second_process_in_a_workspace_is_told_who_works_there(child, site, model):
    site.json("clone", model, "clone", "--trust")
    folder = site.folder / "clone"

    with Workspace(folder).lock():
        for words in (("pull",), ("push",), ("commit", "-m", "x"), ("trust",)):
            refused = child(site, *words, "--json", cwd=folder)

            told = json.loads(refused.out)
            assert refused.code == 1, words
            assert told["error_code"] == "WorkspaceLocked"
            assert f"another process (pid {os.getpid()})" in told["message"]
    assert child(site, "pull", cwd=folder).code == 0


@pytest.mark.parametrize("max_file", [8_000, 90_000])
def test_a_full_disk_is_one_sentence_and_loses_nothing(child, site, model, max_file):
    full = child(
        *(site, "clone", model, "clone", "--trust"), cwd=site.folder, max_file=max_file
    )
    assert full.code == 1
    assert full.err.startswith("error: no room in ")
    assert "make room on the disk" in full.err
    assert full.err.count("\n") == 2
    cloned = child(site, "clone", model, "clone", "--trust", cwd=site.folder)
    assert cloned.code == 0, cloned.err
    folder = site.folder / "clone"
    weights = folder / "weights.safetensors"
    new = retrained(weights, site.folder / "new.safetensors", max_file)
    words = ("commit", "-m", "x", "--weights", new, "--num-samples", 9)

    full = child(site, *words, cwd=folder, max_file=2_000)
    assert (full.code, full.err.count("\n")) == (1, 2), full.err
    assert child(site, *words, cwd=folder).code == 0
    full = child(site, "push", cwd=folder, max_file=2_000)
    assert (full.code, full.err.count("\n")) == (1, 2), full.err
    pushed = child(site, "push", cwd=folder)
    assert pushed.code == 0, pushed.err
    site.json("update", "withdraw", cwd=folder)
