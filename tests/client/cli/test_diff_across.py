"""`flair diff` of commits that lie apart: forks, strangers, other workspaces."""

import numpy as np
import pytest
import safetensors.numpy
from work_world import running_net

MINE = {
    "same": np.arange(6, dtype=np.float32).reshape(2, 3),
    "moved": np.ones(4, np.float32),
    "wider": np.ones((2, 3), np.float32),
    "halved": np.ones(3, np.float32),
    "mine": np.ones(2, np.float32),
}
THEIRS = {
    "same": MINE["same"],
    "moved": MINE["moved"] + np.float32([0, 0, 3, 4]),
    "wider": np.ones((2, 5), np.float32),
    "halved": np.ones(3, np.float16),
    "theirs": np.ones(2, np.float32),
}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def other(net):
    return net.person("other")


def publish(person, tensors):
    safetensors.numpy.save_file(tensors, person.folder / "w.safetensors")
    person.json("init", "model", "--weights", "w.safetensors")
    words = ("repo", "create", "model", "--open", "--min-updates", 1)
    made = person.json(*words, cwd=person.folder / "model")["repo"]
    person.json("pull", cwd=person.folder / "model")
    return made


@pytest.fixture(scope="module")
def mine(owner):
    return publish(owner, MINE)


@pytest.fixture(scope="module")
def theirs(other):
    return publish(other, THEIRS)


@pytest.fixture
def here(owner, mine, theirs):
    """Runs `flair` in the owner's workspace."""
    return lambda *words: owner(*words, cwd=owner.folder / "model")


def assert_compared(found):
    by_name = {one["name"]: one for one in found["tensors"]}
    assert {name: one["change"] for name, one in by_name.items()} == {
        "same": "same",
        "moved": "changed",
        "wider": "reshaped",
        "halved": "reshaped",
        "mine": "removed",
        "theirs": "added",
    }
    assert by_name["moved"]["l2"] == 5.0
    assert (found["l2"], found["max_abs"], found["n_changed"]) == (5.0, 4.0, 5)
    wider, halved = by_name["wider"], by_name["halved"]
    assert (wider["old_shape"], wider["shape"]) == ([2, 3], [2, 5])
    assert (halved["old_dtype"], halved["dtype"]) == ("f32", "f16")


def test_two_repositories(here, mine, theirs, other, tmp_path):
    assert_compared(here("diff", mine, theirs, "--json").result)
    assert_compared(here("diff", "HEAD", theirs, "--json").result)
    assert_compared(here("diff", "main", f"{theirs}@main", "--json").result)
    assert_compared(other("diff", mine, theirs, "--json", cwd=tmp_path).result)
    back = here("diff", theirs, "--json").result
    assert {one["name"]: one["change"] for one in back["tensors"]}["mine"] == "added"


def test_two_workspaces(here, other, owner, tmp_path):
    path = other.folder / "model"

    assert_compared(here("diff", "HEAD", path, "--json").result)
    assert_compared(here("diff", "HEAD", f"{path}@main", "--json").result)
    words = ("diff", owner.folder / "model", path, "--json")
    assert_compared(owner(*words, cwd=tmp_path).result)


def test_a_path_may_go_up(owner, other, mine, theirs):
    """Its dots are not the two between commits."""
    path = f"../../../{other.folder.parent.name}/work/model"

    words = ("diff", "HEAD", path, "--json")
    assert_compared(owner(*words, cwd=owner.folder / "model").result)
    up = owner("diff", path, "--json", cwd=owner.folder / "model")
    assert up.code == 0, up.err


def test_both_shapes_and_dtypes_are_told(here, theirs):
    said = here("diff", "HEAD", theirs)
    stat = here("diff", "HEAD", theirs, "--stat")

    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "wider 2x3 → 2x5 reshaped" in lines
    assert "halved F32 3 → F16 3 reshaped" in lines
    assert "reshaped 2x3 → 2x5" in stat.out
    assert "5 of 6 tensors differ" in said.out
    for line in (*said.out.splitlines(), *stat.out.splitlines()):
        assert len(line) <= 80


def test_a_fork_and_what_it_came_from(here, other, mine):
    made = other.json("fork", mine, "copy")["repo"]

    equal = here("diff", mine, made)

    assert "the same weights, 5 tensors" in equal.out
    assert here("diff", "HEAD", made, "--exit-code").code == 0


def test_a_tag_of_another_workspace(here, other, theirs):
    folder = other.folder / "model"
    other.json("tag", "v1", cwd=folder)

    assert_compared(here("diff", "HEAD", f"{folder}@v1", "--json").result)
    assert "neither a branch" in here("diff", "HEAD", f"{folder}@v2").err
    assert here("log", f"{folder}@v1", "--json").result["commits"]


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("HEAD", "{theirs}@nothing"), 1, "neither a branch"),
        (("HEAD", "./nowhere"), 2, "there is no workspace at ./nowhere"),
        (("HEAD", "{theirs}x"), 1, "there is no repo flair://localnet/"),
        (("HEAD", "{theirs}", "--repo", "{mine}"), 2, "--repo is for names without"),
    ],
)
def test_what_is_not_there(  # noqa: PLR0917 - fixtures and cases
    here, mine, theirs, words, code, reason
):
    refused = here("diff", *(one.format(mine=mine, theirs=theirs) for one in words))

    assert (refused.code, reason in refused.err) == (code, True), refused.err
