"""`flair tag`: names of one's own, and every verb that takes them."""

import contextlib
import signal

import pytest
from killing import KillServer, points_of
from work_world import ROWS, running_net, shifted

from flair_client.porcelain.refs import Tag, keep_tags, known_heads
from flair_client.porcelain.tag import MAX_TAGS
from flair_client.workspace import Workspace


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def model(owner):
    """A repository with a root and a snapshot; gives the workspace and both commits."""
    (owner.folder / "rows.csv").write_text(ROWS)
    owner.json("init", "heart", "--columns-from", "rows.csv", "--no-statistics")
    folder = owner.folder / "heart"
    flags = ("--open", "--min-updates", 1)
    owner.json("repo", "create", "heart", *flags, cwd=folder)
    root = owner.json("log", cwd=folder)["commits"][0]["commit"]
    tuned = shifted(folder / "weights.safetensors", owner.folder / "t.safetensors")
    snapshot = ("commit", "--snapshot", "-m", "tuned", "--weights", tuned)
    head = owner.json(*snapshot, cwd=folder)["commit"]
    owner.json("push", cwd=folder)
    return folder, root, head


@pytest.fixture
def flair(owner, model):
    """Runs `flair` in the workspace; tags are gone afterwards."""
    folder, *_ = model
    yield lambda *words: owner(*words, cwd=folder)
    keep_tags(Workspace(folder), [])


def test_tag_names_a_commit_for_every_verb(model, flair, tmp_path):
    _, root, head = model

    said = flair("tag", "first", "HEAD~1", "-m", "before tuning")
    flair("tag", "v1.0")

    assert said.out == f"tag first is commit {root[:12]}\n"
    for words in (("log", "first"), ("log", "v1.0~1"), ("log", "v1.0~")):
        assert flair(*words, "--json").result["commits"][0]["commit"] == root
    assert flair("show", "first", "--json").result["commit"] == root
    assert flair("diff", "first..v1.0", "--json").result["before"] == root
    file = tmp_path / "first.safetensors"
    assert flair("export", "first", "-o", file, "--json").result["commit"] == root
    (branch,) = flair("verify", "--since", "first", "--json").result["branches"]
    assert (branch["since"], branch["valid_head"]) == (root, head)
    refused = flair("revert", "first", "-m", "x")
    assert "root" in refused.err


def test_tags_stand_beside_the_commits(model, flair):
    flair("tag", "v2")
    flair("tag", "good")
    flair("tag", "first", "HEAD~1")

    newest, root = flair("log", "--json").result["commits"]

    assert newest["names"] == ["HEAD", "main", "tag: good", "tag: v2"]
    assert root["names"] == ["tag: first"]
    assert "(HEAD, main, tag: good, tag: v2)" in flair("log").out
    assert "(tag: first)" in flair("log", "--oneline").out


def test_tags_are_listed_by_name(model, flair):
    _, root, head = model
    flair("tag", "v2", "-m", "x" * 60)
    flair("tag", "first", root[:8])

    listed = flair("tag", "--json").result
    said = flair("tag", "-l")

    assert [(tag["name"], tag["commit"]) for tag in listed["tags"]] == [
        ("first", root),
        ("v2", head),
    ]
    assert listed["tags"][1]["message"] == "x" * 60
    assert listed["hidden"] == []
    assert said.out.split("\n")[1].startswith(f"first  {root[:12]}")
    assert all(len(line) <= 80 for line in said.out.splitlines())


def test_no_tags(model, flair):
    assert flair("tag").err == "no tags yet\n"
    assert flair("tag", "--json").result["tags"] == []


def test_a_tag_that_exists_is_refused_and_force_moves_it(model, flair):
    _, root, head = model
    flair("tag", "v1", "HEAD~1")

    refused = flair("tag", "v1")
    moved = flair("tag", "v1", "--force", "--json").result

    assert refused.code == 1
    assert f"tag 'v1' is commit {root[:12]} already" in refused.err
    assert "--force moves it" in refused.err
    assert moved["made"]["commit"] == head
    assert len(moved["tags"]) == 1


def test_a_tag_is_forgotten_and_its_commit_stays(model, flair):
    flair("tag", "v1", "HEAD~1")

    gone = flair("tag", "-d", "v1", "--json").result

    assert (gone["removed"]["name"], gone["tags"]) == ("v1", [])
    assert flair("log", "v1").code == 1
    assert flair("show", "HEAD~1").code == 0
    assert "there is no tag 'v1'" in flair("tag", "-d", "v1").err


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("main",), 2, "a branch has this name"),
        (("HEAD",), 2, "is not a valid tag name"),
        (("V1",), 2, "is not a valid tag name"),
        (("v" * 65,), 2, "is not a valid tag name"),
        (("../x",), 2, "is not a valid tag name"),
        (("deadbeef",), 2, "0-9 a-f name a commit"),
        (("20241105",), 2, "0-9 a-f name a commit"),
        (("a..b",), 2, "stands between two commits"),
        (("v1", "nothing"), 1, "neither a branch"),
        (("v1", "0" * 64), 5, "is missing"),
        (("v1", "-m", "two\nlines"), 2, "one line of at most 200"),
        (("v1", "-m", "x" * 201), 2, "one line of at most 200"),
        (("v1", "-d", "v2"), 2, "-d takes the name of one tag"),
        (("-d", "v2", "--force"), 2, "-d takes the name of one tag"),
        (("v1", "-l"), 2, "-l takes no name"),
        (("-m", "x"), 2, "-l takes no name"),
    ],
)
def test_what_can_be_no_tag(model, flair, words, code, reason):
    refused = flair("tag", *words)

    assert (refused.code, reason in refused.err) == (code, True), refused.err
    assert flair("tag", "--json").result["tags"] == []


def test_more_tags_than_may_be(model, flair):
    folder, root, _ = model
    flair("tag", "v1")
    (tag,) = flair("tag", "--json").result["tags"]
    many = [Tag(f"t-{n}", root, "x" * 200, tag["time"]) for n in range(MAX_TAGS)]
    keep_tags(Workspace(folder), many)

    refused = flair("tag", "v1")

    assert (refused.code, "as many as may be" in refused.err) == (2, True)
    assert flair("tag", "t-7", "--force").code == 0


def test_a_branch_of_that_name_wins(model, flair):
    folder, root, head = model
    flair("tag", "trial", "HEAD~1")
    workspace = Workspace(folder)
    heads = workspace.marker("heads")
    workspace.set_marker("heads", {**heads, "trial": head})
    try:
        listed = flair("tag")
        found = flair("log", "trial", "--json").result
    finally:
        workspace.set_marker("heads", heads)

    assert found["commits"][0]["commit"] == head
    assert "a branch named 'trial' hides the tag" in listed.err
    assert set(known_heads(workspace)) == {"main"}
    assert flair("log", "trial", "--json").result["commits"][0]["commit"] == root


def test_digits_are_looked_for_behind_tags_as_well(model, flair):
    folder, root, _ = model
    flair("tag", "first", "HEAD~1")
    workspace = Workspace(folder)
    state = workspace.state_folder / "state" / "heads.toml"
    kept = state.read_bytes()
    head = workspace.head()
    state.unlink()
    workspace.set_head(type(head)(head.branch, None))
    try:
        assert flair("show", root[:10], "--json").result["commit"] == root
    finally:
        state.write_bytes(kept)
        workspace.set_head(head)


@pytest.mark.parametrize(
    "text",
    [
        "v1 = 3\n",
        "[v1]\nmessage = ''\ntime = 1\n",
        "[v1]\ncommit = 'x'\nmessage = ''\ntime = 1\n",
        "[V1]\ncommit = '" + "0" * 64 + "'\nmessage = ''\ntime = 1\n",
        "[v1]\ncommit = '" + "0" * 64 + "'\nmessage = ''\ntime = 'x'\n",
    ],
)
def test_damaged_tags_are_one_sentence_and_fsck_puts_them_aside(model, flair, text):
    folder, *_ = model
    path = folder / ".flair" / "state" / "tags.toml"
    path.write_text(text)

    told = flair("log")
    checked = flair("fsck", "--repair", "--json")

    assert told.code == 1
    assert "tags.toml is damaged" in told.err
    assert [one["kind"] for one in checked.result["faults"]] == ["damaged"]
    assert path.with_name("tags.toml.damaged").read_text() == text
    assert flair("log").code == 0
    path.with_name("tags.toml.damaged").unlink()


def test_killed_anywhere_there_are_the_old_tags_or_the_new_ones(owner, model, flair):
    folder, root, head = model
    with contextlib.closing(KillServer()) as child:
        flair("tag", "kept", "HEAD~1")
        assert child(owner, "tag", "v1", cwd=folder).code == 0
        points = points_of(child.points)
        for point in points:
            flair("tag", "v1", "HEAD~1", "--force")
            words = ("tag", "v1", "HEAD", "--force")
            killed = child(owner, *words, cwd=folder, point=point)
            tags = flair("tag", "--json").result["tags"]
            again = child(owner, *words, cwd=folder)

            assert killed.code == -signal.SIGKILL, point
            assert [tag["name"] for tag in tags] == ["kept", "v1"], point
            assert tags[1]["commit"] in (root, head), point
            assert again.code == 0, point
            tags = flair("tag", "--json").result["tags"]
            assert [tag["commit"] for tag in tags] == [root, head]


def test_a_second_process_waits_its_turn(model, flair):
    with Workspace(model[0]).lock():
        refused = flair("tag", "v1")
        listed = flair("tag")

    assert "another process" in refused.err
    assert listed.code == 0
