"""`flair train`, `status` and `export` as people type them, against a localnet."""

import hashlib
import shutil
from pathlib import Path

import pytest
from work_world import ROWS, running_net, shifted

from flair_client.config_file import write_config
from flair_client.workspace import Workspace


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def heart(net, owner):
    """Address of a model that begins with a round of statistics."""
    return net.publish(owner, "heart")


@pytest.fixture(scope="module")
def plain(net, owner):
    """Address of a model that begins with training."""
    (owner.folder / "rows.csv").write_text(ROWS)
    owner.json("init", "plain", "--columns-from", "rows.csv", "--no-statistics")
    folder = owner.folder / "plain"
    flags = ("--open", "--min-updates", 1)
    return owner.json("repo", "create", "plain", *flags, cwd=folder)["repo"]


@pytest.fixture(scope="module")
def site(net):
    """Somebody whose tests push nothing."""
    return with_rows(net.person("site"))


@pytest.fixture
def pusher(net, request):
    """Somebody whose update is in the round afterwards."""
    return with_rows(net.person(request.node.name))


def with_rows(person):
    (person.folder / "rows.csv").write_text(ROWS)
    return person


@pytest.fixture(scope="module")
def originals(site, plain, heart):
    """Trusted clones, to be copied."""
    for name, address in (("plain", plain), ("heart", heart)):
        site.json("clone", address, name, "--trust")
    return site.folder


@pytest.fixture
def folder(originals):
    """A workspace of the model that begins with training."""
    copy = originals / "copy"
    yield shutil.copytree(originals / "plain", copy)
    shutil.rmtree(copy)


def test_train_says_what_came_out_and_what_would_leave(pusher, plain):
    folder = Path(pusher.json("clone", plain, "copy", "--trust")["folder"])

    ran = pusher("train", "--data", "../rows.csv", cwd=folder)

    assert ran.code == 0
    assert "1 of main: training" in ran.out
    assert "40; a push tells 32" in ran.out
    assert "ON THE TRAINING ROWS" in ran.out
    assert "  linear.weight\n" in ran.out
    assert "  metrics.auc\n" in ran.out
    assert "flair commit -m MESSAGE" in ran.err
    assert pusher("commit", "-m", "one", cwd=folder).code == 0
    assert pusher("push", cwd=folder).code == 0


def test_train_in_round_zero_takes_statistics(site, originals):
    folder = originals / "heart"

    ran = site("train", "--data", "../rows.csv", cwd=folder)

    assert ran.code == 0
    assert "0 of main: statistics of the data" in ran.out
    assert "statistics.mean\n" in ran.out
    assert "linear" not in ran.out
    assert "epochs  " not in ran.out


def test_train_with_other_names_of_columns(site, folder):
    (site.folder / "rows.csv").write_text(ROWS.replace("a,b,target", "AGE,b,died"))

    data = ("train", "--data", site.folder / "rows.csv")
    flags = ("--map", "a=AGE", "--map", "target = died")
    assert site.json(*data, *flags, cwd=folder)["num_samples"] == 40

    unmapped = site(*data, cwd=folder)
    assert unmapped.code == 1
    assert "rows.csv has no column 'a'; it has 'AGE', 'b', 'died'" in unmapped.err

    assert site(*data, "--map", "a", cwd=folder).code == 2
    unknown = site(*data, "--map", "age=AGE", cwd=folder)
    assert unknown.code == 2
    assert "the recipe has no column 'age'" in unknown.err


def test_train_with_settings_of_the_workspace_from_below(site, folder):
    (site.folder / "rows.csv").write_text(ROWS.replace("a,b,target", "AGE,b,died"))
    (folder / "columns.toml").write_text('[columns.target]\ncolumn = "died"\n')
    write_config(
        folder / ".flair" / "config.local",
        {
            "train.data": "../rows.csv",
            "train.map": ("a=AGE",),
            "train.map_file": "columns.toml",
        },
    )
    below = folder / "deep"
    below.mkdir()

    assert site.json("train", cwd=below)["num_samples"] == 40


def test_train_without_data(site, folder):

    ran = site("train", cwd=folder)

    assert ran.code == 2
    assert "no data is named" in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bad.csv is empty"),
        ("a,b,target\n", "bad.csv has no rows"),
        ("a,b,target\n1,2,1\n1,old,0\n", "bad.csv, row 3: 'old' in column 'b'"),
        ("a,b,target\n1,2,2\n", "bad.csv, row 2: target 'target' is '2'"),
        ("a,target\n1,1\n", "bad.csv has no column 'b'; it has 'a', 'target'"),
    ],
)
def test_train_on_bad_data_is_one_sentence(site, folder, text, said):
    (folder / "bad.csv").write_text(text)

    ran = site("train", "--data", "bad.csv", cwd=folder)

    assert ran.code == 1
    assert f"error: {said}" in ran.err
    assert ran.err.count("error:") == 1
    assert not (folder / "update.safetensors").exists()


def test_train_on_one_class_says_how(site, folder):
    (folder / "one.csv").write_text("a,b,target\n1,2,1\n2,3,1\n")

    refused = site("train", "--data", "one.csv", cwd=folder)
    allowed = site("train", "--data", "one.csv", "--allow-one-class", cwd=folder)

    assert refused.code == 1
    assert "all 2 rows have target 1" in refused.err
    assert "--allow-one-class" in refused.err
    assert allowed.code == 0


def test_train_on_a_missing_file(site, folder):

    ran = site("train", "--data", "none.csv", cwd=folder)

    assert ran.code == 2
    assert "none.csv cannot be read: No such file or directory" in ran.err


def test_train_where_the_recipe_has_no_model_of_its_own(site):
    (site.folder / "rows.csv").write_text(ROWS)
    site.json("init", "first", "--columns-from", "rows.csv")
    weights = site.folder / "first" / "weights.safetensors"
    site.json("init", "big", "--weights", weights)
    folder = site.folder / "big"
    site.json("repo", "create", "big", cwd=folder)
    site.json("trust", "--accept", cwd=folder)

    ran = site("train", "--data", "../rows.csv", cwd=folder)

    assert ran.code == 2
    assert "the recipe names no built-in model" in ran.err
    assert "flair commit --weights FILE" in ran.err
    told = site.json("status", cwd=folder)
    assert "--weights FILE" in told["next_command"]


def test_commit_of_a_file_that_was_not_trained(site, folder):
    site.json("train", "--data", "../rows.csv", cwd=folder)
    shifted(folder / "weights.safetensors", folder / "update.safetensors")

    ran = site("commit", "-m", "one", cwd=folder)

    assert ran.code == 1
    assert "update.safetensors is not the file that was trained" in ran.err
    assert "`flair train` makes one" in ran.err


def test_status_from_clone_to_push(pusher, plain):
    folder = Path(pusher.json("clone", plain, "copy")["folder"])

    def next_command():
        return pusher.json("status", cwd=folder)["next_command"]

    assert next_command() == "flair trust"
    pusher.json("trust", "--accept", cwd=folder)
    assert next_command() == "flair train --data FILE"
    pusher.json("train", "--data", "../rows.csv", cwd=folder)
    assert next_command() == "flair commit -m MESSAGE"
    pusher.json("commit", "-m", "one", cwd=folder)
    before = pusher("status", cwd=folder)
    assert before.code == 0
    assert "HEAD is the branch's head" in before.out
    assert "trained on 40 samples" in before.out
    assert ", round 1, not pushed yet" in before.out
    assert before.err == "next: flair push\n"
    pusher.json("push", cwd=folder)
    after = pusher("status", cwd=folder)
    assert "1, open until" in after.out
    assert "this wallet's is accepted" in after.out
    assert "none that was not pushed" in after.out
    assert after.err == ""


def test_status_behind_the_chain(site, net):
    address = net.publish(site, "moving")
    other = net.person("onlooker")
    folder = Path(other.json("clone", address, "copy", "--trust")["folder"])
    owned = site.folder / "moving"
    new = shifted(owned / "weights.safetensors", site.folder / "new.safetensors")
    commit = ("commit", "--snapshot", "-m", "better", "--weights", new)
    site.json(*commit, cwd=owned)
    assert site.json("status", cwd=owned)["next_command"] == "flair push"
    assert "snapshot" in site("status", cwd=owned).out
    site.json("push", cwd=owned)

    told = other.json("status", cwd=folder)
    text = other("status", cwd=folder).out

    assert told["chain"]["n_behind"] == 1
    assert told["next_command"] == "flair pull"
    assert "HEAD is 1 commit behind" in text


def test_status_of_values_that_stay_here_until_the_round_is_closed(site, net):
    site.json("init", "hidden", "--columns-from", "rows.csv", "--no-statistics")
    owned = site.folder / "hidden"
    with (owned / "flair.toml").open("a") as recipe:
        recipe.write("\n[policy]\nreveal_after_close = true\n")
    flags = ("--open", "--min-updates", 1, "--max-updates", 1)
    address = site.json("repo", "create", "hidden", *flags, cwd=owned)["repo"]
    other = with_rows(net.person("holder"))
    folder = Path(other.json("clone", address, "copy", "--trust")["folder"])
    other.json("train", "--data", "../rows.csv", cwd=folder)
    commit = other.json("commit", "-m", "one", cwd=folder)["commit"]
    other.json("push", cwd=folder)

    held = other.json("status", cwd=folder)
    assert held["held"] == [commit]
    assert held["next_command"] is None
    assert f"held back   {commit[:12]}" in other("status", cwd=folder).out
    assert other("fsck", cwd=folder).code == 0

    other.json("round", "close", cwd=folder)
    assert other.json("status", cwd=folder)["next_command"] == "flair push"
    other.json("push", cwd=folder)
    assert other.json("status", cwd=folder)["held"] == []


def test_status_without_the_chain_is_no_error(site, folder):
    write_config(
        site.home / "config.toml", {"network.localnet.url": "http://127.0.0.1:1"}
    )

    ran = site("status", cwd=folder)
    told = site.json("status", "--offline", cwd=folder)

    assert ran.code == 0
    assert "chain       not reached" in ran.out
    assert "recipe, policy and owner are accepted" in ran.out
    assert "the chain was not reached" in ran.err
    assert told["chain"] is None
    assert told["unreached"] is None
    assert told["next_command"] == "flair train --data FILE"


def test_status_before_anything_is_published(site):
    site.json("init", "new", "--columns-from", "rows.csv")

    ran = site("status", cwd=site.folder / "new")

    assert ran.code == 0
    assert "none yet" in ran.out
    assert "next: flair repo create NAME" in ran.err


def test_status_names_edited_files_of_the_recipe(site, folder):
    (folder / "flair.toml").write_text("# mine\n")

    assert site.json("status", cwd=folder)["changed_files"] == ["flair.toml"]


def test_status_says_which_file_is_damaged(site, folder):
    (folder / ".flair" / "HEAD").write_text("branch = [")

    ran = site("status", cwd=folder)

    assert ran.code == 1
    assert ".flair/HEAD is damaged" in ran.err


def test_status_outside_of_a_workspace(site):
    ran = site("status")

    assert ran.code == 2
    assert "there is no workspace" in ran.err


def test_export_of_the_root_is_the_published_file(site, folder, owner):
    published = (owner.folder / "plain" / "weights.safetensors").read_bytes()

    made = site.json("export", cwd=folder)

    file = folder / made["file"]
    assert made["file"] == f"plain-{made['commit'][:12]}.safetensors"
    assert file.read_bytes() == published
    assert made["sha256"] == hashlib.sha256(published).hexdigest()
    assert made["kind"] == "root"
    assert made["verified"]


def test_export_replaces_a_file_only_when_told_so(site, folder):
    target = folder / "out.safetensors"
    target.write_bytes(b"mine")

    refused = site("export", "HEAD", "-o", target, cwd=folder)
    assert refused.code == 2
    assert "exists already" in refused.err
    assert "--force" in refused.err
    assert target.read_bytes() == b"mine"
    assert site("export", "HEAD", "-o", target, "--force", cwd=folder).code == 0
    assert target.read_bytes() == (folder / "weights.safetensors").read_bytes()


def test_export_of_an_update_or_of_nothing(site, folder):
    site.json("train", "--data", "../rows.csv", cwd=folder)
    update = site.json("commit", "-m", "one", cwd=folder)["commit"]

    of_update = site("export", update, cwd=folder)
    of_nothing = site("export", "other", cwd=folder)
    nowhere = site("export", "-o", "no/where.safetensors", cwd=folder)

    assert of_update.code == 2
    assert "is an update and has no weights" in of_update.err
    assert of_nothing.code == 1
    assert "'other' is neither a branch" in of_nothing.err
    assert nowhere.code == 2
    assert "cannot write no/where.safetensors" in nowhere.err


def test_export_of_a_damaged_block_fetches_it_again(site, folder, net):
    workspace = Workspace(folder)
    for path in (workspace.state_folder / "objects").glob("[0-9a-f][0-9a-f]/*.raw"):
        path.write_bytes(b"x" * path.stat().st_size)

    made = site.json("export", "-o", "again.safetensors", cwd=folder)

    again = (folder / "again.safetensors").read_bytes()
    assert again == (folder / "weights.safetensors").read_bytes()
    assert made["n_bytes"] == len(again)
