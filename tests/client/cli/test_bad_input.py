"""Bad weights, foreign commits, changed rules: one sentence each, nothing lost."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from work_world import ROWS, running_net, shifted

from flair_client.workspace import Workspace


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    person = net.person("owner")
    (person.folder / "rows.csv").write_text(ROWS)
    return person


@pytest.fixture(scope="module")
def publish(owner):
    """Publishes a model that begins with training, under a name of its own."""

    def call(name: str) -> str:
        owner.json("init", name, "--columns-from", "rows.csv", "--no-statistics")
        folder = owner.folder / name
        flags = ("--open", "--min-updates", 1)
        return owner.json("repo", "create", name, *flags, cwd=folder)["repo"]

    return call


@pytest.fixture(scope="module")
def plain(publish):
    return publish("plain")


@pytest.fixture(scope="module")
def site(net):
    person = net.person("site")
    (person.folder / "rows.csv").write_text(ROWS)
    return person


@pytest.fixture(scope="module")
def original(site, plain):
    return Path(site.json("clone", plain, "original", "--trust")["folder"])


@pytest.fixture
def clone(original, tmp_path):
    """A trusted clone of the model of its own."""
    return Workspace(shutil.copytree(original, tmp_path / "copy"))


def weights_with(clone, change):
    """A file of weights in which something was changed."""
    tensors = safetensors.numpy.load_file(clone.weights_path)
    change(tensors)
    path = clone.folder / "new.safetensors"
    safetensors.numpy.save_file(tensors, path)
    return path


def commit_of(site, clone, path):
    given = ("--weights", path, "--num-samples", 40)
    return site("commit", "-m", "one", *given, cwd=clone.folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(site, clone, value):
    def spoil(tensors):
        tensors["linear.weight"][1] = value

    ran = commit_of(site, clone, weights_with(clone, spoil))

    assert ran.code == 5
    assert "error: tensor 'linear.weight': 1 values are not finite" in ran.err
    assert clone.marker("pending") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.update({"linear.weight": np.zeros(3, np.float32)}),
            "tensor 'linear.weight': expected F32 [2], got F32 [3]",
        ),
        (
            lambda t: t.update({"linear.weight": np.zeros((2, 1), np.float32)}),
            "tensor 'linear.weight': expected F32 [2], got F32 [2, 1]",
        ),
        (
            lambda t: t.update({"linear.bias": np.zeros(1, np.float64)}),
            "tensor 'linear.bias': expected F32 [1], got F64 [1]",
        ),
        (
            lambda t: t.pop("linear.bias"),
            "tensor 'linear.bias': expected F32 [1], got nothing",
        ),
        (
            lambda t: t.update({"extra": np.zeros(1, np.float32)}),
            "tensor 'extra': expected nothing, got F32 [1]",
        ),
    ],
)
def test_weights_of_another_model_name_the_tensor_and_both(site, clone, change, said):
    ran = commit_of(site, clone, weights_with(clone, change))

    assert ran.code == 5
    assert f"error: {said}\n" in ran.err
    assert "`flair pull`, then `flair train`" in ran.err
    assert clone.marker("pending") is None


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", 5, "is no .safetensors, .npz or PyTorch file"),
        (b"\x08" + bytes(7) + b"notjson!", 5, "is no .safetensors, .npz or PyTorch"),
        (b"\x08" + bytes(7) + b"{otjson!", 5, "the header is not JSON"),
        (b"\xff" * 8 + b"{}", 5, "header: 18446744073709551615 bytes, at most"),
        (b"\xff\xff" + bytes(6) + b"{}", 5, "declares a header of 65535 bytes"),
        (None, 2, "cannot read"),
    ],
)
def test_a_file_that_is_no_weights(site, clone, content, code, said):
    path = clone.folder / "new.safetensors"
    if content is not None:
        path.write_bytes(content)

    ran = commit_of(site, clone, path)

    assert ran.code == code
    assert said in ran.err
    assert clone.marker("pending") is None


def test_a_model_with_nan_is_not_published(owner):
    owner.json("init", "nan", "--columns-from", "rows.csv")
    folder = owner.folder / "nan"
    tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
    tensors["linear.weight"][0] = np.nan
    safetensors.numpy.save_file(tensors, folder / "weights.safetensors")

    given = owner("init", "spoilt", "--weights", folder / "weights.safetensors")
    ran = owner("repo", "create", "nan", cwd=folder)

    for refused in (given, ran):
        assert refused.code == 5
        assert "tensor 'linear.weight': 1 values are not finite" in refused.err


def test_every_verb_of_a_workspace_works_from_a_folder_below(net, plain):
    person = net.person("below")
    person.json("clone", plain, "copy", "--trust")
    below = person.folder / "copy" / "notes" / "deep"
    below.mkdir(parents=True)
    (below / "rows.csv").write_text(ROWS)

    for words in (
        ("status",),
        ("trust",),
        ("train", "--data", "rows.csv"),
        ("commit", "-m", "one"),
        ("push", "--dry-run"),
        ("push",),
        ("pull",),
        ("log",),
        ("show",),
        ("fsck",),
        ("export", "-o", "here.safetensors"),
    ):
        ran = person(*words, cwd=below)
        assert ran.code == 0, (words, ran.err)
    assert (below / "here.safetensors").exists()
    assert (person.folder / "copy" / "update.safetensors").exists()


def test_a_wallet_that_others_can_read_signs_and_sends_nothing(site, clone):
    site.json("train", "--data", site.folder / "rows.csv", cwd=clone.folder)
    wallet = site.home / "wallets" / "default.json"
    wallet.chmod(0o644)
    try:
        refused = site("commit", "-m", "one", cwd=clone.folder)
        status = site("status", cwd=clone.folder)
    finally:
        wallet.chmod(0o600)

    assert refused.code == status.code == 3
    assert "readable by others" in refused.err
    assert "chmod 600" in refused.err
    assert clone.marker("pending") is None
    assert site("commit", "-m", "one", cwd=clone.folder).code == 0


def test_a_second_update_in_a_round(net, plain):
    person = net.person("twice")
    (person.folder / "rows.csv").write_text(ROWS)
    folder = Path(person.json("clone", plain, "copy", "--trust")["folder"])

    def update(seed):
        person.json("train", "--data", "../rows.csv", "--seed", seed, cwd=folder)
        return person.json("commit", "-m", "one", cwd=folder)["commit"]

    first = update(1)
    person.json("push", cwd=folder)
    update(2)
    ran = person("push", cwd=folder)

    assert ran.code == 1
    assert f"update {first[:12]} of this wallet is in round 1 already" in ran.err
    assert "flair update withdraw" in ran.err
    # Taken back, the second one may follow.
    assert person("update", "withdraw", cwd=folder).code == 0
    assert person("push", cwd=folder).code == 0


def test_a_commit_that_another_wallet_signed_is_not_pushed(site, clone):
    site.json("train", "--data", site.folder / "rows.csv", cwd=clone.folder)
    site.json("commit", "-m", "one", cwd=clone.folder)
    site("wallet", "new", "other")

    ran = site("push", "--wallet", "other", cwd=clone.folder)

    assert ran.code == 3
    assert "was signed by" in ran.err
    assert "--wallet` chooses one" in ran.err
    assert clone.marker("pending") is not None


def test_a_damaged_marker_is_said(site, clone):
    site.json("train", "--data", site.folder / "rows.csv", cwd=clone.folder)
    site.json("commit", "-m", "one", cwd=clone.folder)
    marker = clone.state_folder / "state" / "pending.toml"
    marker.write_text("kind = 'update'\n")

    for verb in ("push", "status"):
        ran = site(verb, cwd=clone.folder)
        assert ran.code == 1
        assert "the marker of the commit is damaged" in ran.err


def test_a_policy_that_changed_after_it_was_accepted(net, owner, publish):
    address = publish("moving")
    person = net.person("watchful")
    (person.folder / "rows.csv").write_text(ROWS)
    folder = Path(person.json("clone", address, "copy", "--trust")["folder"])
    train = ("train", "--data", "../rows.csv")
    person.json(*train, cwd=folder)
    person.json("commit", "-m", "one", cwd=folder)
    looser = ("--like", 0, "--norm-bound", 100, "--open")
    owned = owner.folder / "moving"
    owner.json("policy", "create", *looser, cwd=owned)
    owner.json("policy", "use", 1, cwd=owned)

    pushed = person("push", cwd=folder)
    assert pushed.code == 1
    assert "the policy changed since it was accepted" in pushed.err
    assert "`flair trust`" in pushed.err
    status = person("status", cwd=folder)
    assert "the policy changed since it was accepted" in status.out
    assert "next: flair trust" in status.err
    person.json("pull", cwd=folder)
    assert "the policy changed" in person(*train, cwd=folder).err
    shown = person.json("trust", cwd=folder)
    weaker = [row["field"] for row in shown["changes"] if row["weaker"]]
    assert "policy.norm_bound_sq" in weaker

    person.json("trust", "--accept", cwd=folder)
    # The signed update names the old policy, and is not worth anything any more.
    stale = person("push", cwd=folder)
    assert stale.code == 1
    assert "another policy" in stale.err
    person.json(*train, cwd=folder)
    person.json("commit", "-m", "one", cwd=folder)
    assert person("push", cwd=folder).code == 0


@pytest.fixture
def moved(net, owner, publish, request):
    """Somebody's trusted clone with a trained update, and how to move the head."""
    name = request.node.name[5:45].replace("_", "-").strip("-")
    address = publish(name)
    person = net.person(name)
    (person.folder / "rows.csv").write_text(ROWS)
    folder = Path(person.json("clone", address, "copy", "--trust")["folder"])
    person.json("train", "--data", "../rows.csv", cwd=folder)

    owned = owner.folder / name

    def move(*flags):
        """The owner's files become the head."""
        owner.json("commit", "--snapshot", "-m", "better", *flags, cwd=owned)
        return owner.json("push", cwd=owned)["commit"]

    return person, folder, move, owned


def test_a_head_that_moved_on_before_the_push(moved):
    person, folder, move, owned = moved
    person.json("commit", "-m", "one", cwd=folder)
    weights = shifted(owned / "weights.safetensors", owned / "new.safetensors")
    head = move("--weights", weights)

    pushed = person("push", cwd=folder)
    assert pushed.code == 1
    assert f"the update is for round 1, the branch is at {head[:12]}" in pushed.err
    assert "`flair pull`, then `flair train` and `flair commit` again" in pushed.err
    person.json("pull", cwd=folder)
    status = person("status", cwd=folder)
    assert "not made on HEAD" in status.out
    assert "which is not HEAD" in status.out
    assert "next: flair train --data FILE" in status.err
    committed = person("commit", "-m", "one", cwd=folder)
    assert committed.code == 1
    assert "trained from another commit than HEAD" in committed.err
    person.json("train", "--data", "../rows.csv", cwd=folder)
    person.json("commit", "-m", "one", cwd=folder)
    assert person("push", cwd=folder).code == 0


def test_a_recipe_that_changed_after_it_was_accepted(moved):
    person, folder, move, owned = moved
    recipe = owned / "flair.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 20", "epochs = 3"))
    move()
    person.json("pull", cwd=folder)

    for words in (("train", "--data", "../rows.csv"), ("commit", "-m", "one")):
        refused = person(*words, cwd=folder)
        assert refused.code == 1
        assert "the recipe changed since it was accepted" in refused.err
        assert "`flair trust`" in refused.err
    assert "next: flair trust" in person("status", cwd=folder).err
    shown = person("trust", cwd=folder).out
    assert "-epochs = 20" in shown
    assert "+epochs = 3" in shown
    person.json("trust", "--accept", cwd=folder)
    assert person.json("train", "--data", "../rows.csv", cwd=folder)["epochs"] == 3
    person.json("commit", "-m", "one", cwd=folder)
    assert person("push", cwd=folder).code == 0


def test_a_model_that_is_not_the_recipes(owner):
    owner.json("init", "other", "--columns-from", "rows.csv", "--no-statistics")
    folder = owner.folder / "other"
    tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
    tensors["linear.weight"] = np.zeros(7, np.float32)
    safetensors.numpy.save_file(tensors, folder / "weights.safetensors")
    owner.json("repo", "create", "other", cwd=folder)
    owner.json("trust", "--accept", cwd=folder)

    ran = owner("train", "--data", "../rows.csv", cwd=folder)

    assert ran.code == 5
    assert "tensor 'linear.weight': expected F32 [2], got F32 [7]" in ran.err


def test_ctrl_c_in_training_leaves_everything_as_it_was(site, clone, monkeypatch):
    train = ("train", "--data", site.folder / "rows.csv")
    site.json(*train, cwd=clone.folder)
    before = clone.update_path.read_bytes(), clone.marker("trained")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("flair_client.training.run.fit", interrupt)
        ran = site(*train, "--seed", 9, cwd=clone.folder)

    assert ran.code == 130
    assert before == (clone.update_path.read_bytes(), clone.marker("trained"))
    assert [p for p in clone.folder.iterdir() if p.name.startswith(".update")] == []
    assert site("commit", "-m", "one", cwd=clone.folder).code == 0


def test_two_commands_in_one_workspace(site, clone):
    with clone.lock():
        for words in (("train", "--data", site.folder / "rows.csv"), ("fsck",)):
            ran = site(*words, cwd=clone.folder)
            assert ran.code == 1
            assert "another process (pid" in ran.err
            assert "wait for the other command to end" in ran.err
        # These only read.
        assert site("status", cwd=clone.folder).code == 0
        assert site("export", "-o", "out.safetensors", cwd=clone.folder).code == 0
