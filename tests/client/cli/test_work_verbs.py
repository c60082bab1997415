"""From `flair init` to `flair pull` as people type it, against a localnet."""

import json

import pytest
from work_world import running_net, shifted

from flair_client.config_file import write_config


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def heart(net, owner):
    """Address of a published model."""
    return net.publish(owner, "heart")


@pytest.fixture
def site(net, request):
    name = request.node.name.replace("[", "-").replace("]", "")
    return net.person(name)


def test_init_to_pull(site, heart, owner):
    cloned = site("clone", heart)
    assert cloned.code == 0
    assert "1 commit verified" in cloned.out
    assert "not trusted yet" in cloned.err
    folder = site.folder / "heart"
    weights = owner.folder / "heart" / "weights.safetensors"
    assert (folder / "weights.safetensors").read_bytes() == weights.read_bytes()
    new = shifted(weights, site.folder / "new.safetensors")
    commit = ("commit", "-m", "one", "--weights", new, "--num-samples", 40)

    refused = site(*commit, cwd=folder)
    assert refused.code == 1
    assert "not accepted yet" in refused.err

    assert "policy.min_updates: 1" in site("trust", cwd=folder).out
    assert site.json("trust", "--accept", cwd=folder)["accepted"]
    made = site.json(*commit, cwd=folder)
    assert made["weight"] == 32
    dry = site("push", "--dry-run", cwd=folder)
    assert dry.code == 0
    assert "nothing was sent" in dry.err
    pushed = site("push", cwd=folder)
    assert pushed.code == 0
    assert made["commit"][:8] in pushed.out
    pulled = site("pull", cwd=folder)
    assert pulled.code == 0
    assert "nothing new" in pulled.out
    again = site.json("push", cwd=folder)
    assert (again["outcome"], again["sent"]) == ("accepted", False)


def test_commands_work_from_a_folder_below(site, heart):
    site.json("clone", heart, "--trust")
    below = site.folder / "heart" / "deep" / "down"
    below.mkdir(parents=True)

    assert site.json("pull", cwd=below)["branch"] == "main"


def test_work_verbs_outside_of_a_workspace(site):
    for verb in (("pull",), ("push",), ("trust",), ("commit", "-m", "x")):
        ran = site(*verb)

        assert ran.code == 2, verb
        assert "there is no workspace" in ran.err


def test_a_second_clone_into_the_same_folder_changes_nothing(site, heart):
    first = site.json("clone", heart, "copy")
    (site.folder / "copy" / "weights.safetensors").write_bytes(b"mine")

    again = site("clone", heart, "copy", "--trust")

    assert again.code == 0
    assert "is a clone of" in again.out
    assert (site.folder / "copy" / "weights.safetensors").read_bytes() == b"mine"
    trusted = site.json("trust", cwd=site.folder / "copy")
    assert trusted["accepted"]
    assert not first["trusted"]


@pytest.mark.parametrize(
    ("address", "code", "sentence"),
    [
        ("flair://localnet/nobody/heart", 2, "not a valid"),
        ("flair://elsewhere/{creator}/heart", 2, "'elsewhere' has no profile"),
        ("flair://localnet/{creator}/other", 1, "there is no repo"),
        ("flair://localnet/{creator}/heart@other", 1, "'other'"),
    ],
)
def test_clone_of_nothing(site, heart, address, code, sentence):
    creator = heart.split("/")[3]

    ran = site("clone", address.format(creator=creator), "copy")

    assert ran.code == code
    assert sentence in ran.err


def test_clone_into_a_folder_that_is_in_use(site, heart):
    (site.folder / "heart").mkdir()
    (site.folder / "heart" / "notes.txt").write_text("mine")

    ran = site("clone", heart)

    assert ran.code == 2
    assert "heart is not empty" in ran.err


def test_clone_inside_another_workspace_has_the_networks_store(site, heart, net):
    elsewhere = site.folder / "elsewhere"
    site.json("clone", heart, "outer")
    config = site.folder / "outer" / ".flair" / "config.local"
    write_config(config, {"workspace.store": elsewhere.as_uri()})

    site.json("clone", heart, "inner", cwd=site.folder / "outer")

    inner = site.folder / "outer" / "inner"
    told = site("config", "get", "workspace.store", cwd=inner)
    assert told.out.strip() == net.store


def test_a_workspaces_own_store_stays_its_own(site, net):
    moved = (site.folder / "blocks").as_uri()
    (site.folder / "rows.csv").write_text("a,target\n1,0\n2,1\n")
    site.json("init", "model", "--columns-from", "rows.csv")
    model = site.folder / "model"
    write_config(model / ".flair" / "config.local", {"workspace.store": moved})

    made = site.json("repo", "create", "moved", "--open", cwd=model)

    assert moved in (model / ".flair" / "config").read_text()
    assert site("pull", cwd=model).code == 0
    # Whoever clones from a store of their own keeps that one too.
    write_config(site.home / "config.toml", {"workspace.store": moved})
    site.json("clone", made["repo"], "copy")
    told = (site.folder / "copy" / ".flair" / "config").read_text()
    assert moved in told
    assert net.store not in told


def test_repo_create_goes_on_and_refuses_another_name(site):
    (site.folder / "rows.csv").write_text("a,target\n1,0\n2,1\n")
    site.json("init", "model", "--columns-from", "rows.csv")
    model = site.folder / "model"
    first = site.json("repo", "create", "one", cwd=model)

    again = site.json("repo", "create", "one", cwd=model)
    other = site("repo", "create", "two", cwd=model)

    assert again["root"] == first["root"]
    assert other.code == 2
    assert "belongs to" in other.err
    assert [row["repo"] for row in site.json("repo", "list")["repos"]].count(
        first["repo"]
    ) == 1


def test_repo_create_alone(site):
    bare = site("repo", "create", "bare")
    flags = site("repo", "create", "flags", "--min-updates", 2)
    both = site("repo", "create", "both", "--bare", "--protected")

    assert bare.code == 0
    assert "were not made" in bare.err
    assert flags.code == 2
    assert both.code == 2


def test_repo_create_with_a_bad_policy_leaves_nothing_behind(site):
    (site.folder / "rows.csv").write_text("a,target\n1,0\n2,1\n")
    site.json("init", "model", "--columns-from", "rows.csv")

    ran = site(
        *("repo", "create", "bad", "--min-updates", 99), cwd=site.folder / "model"
    )

    assert ran.code == 2
    assert site("repo", "show", "bad").code == 1


def test_repo_create_without_a_model(site):
    (site.folder / ".flair").mkdir()

    ran = site("repo", "create", "empty")

    assert ran.code == 2
    assert "no model to publish" in ran.err


def test_commit_needs_the_number_of_samples_with_weights(site, heart):
    site.json("clone", heart, "--trust")
    folder = site.folder / "heart"
    weights = folder / "weights.safetensors"

    without = site("commit", "-m", "x", "--weights", weights, cwd=folder)
    alone = site("commit", "-m", "x", "--num-samples", 3, cwd=folder)
    untrained = site("commit", "-m", "x", cwd=folder)

    assert (without.code, alone.code, untrained.code) == (2, 2, 1)
    assert "number of samples" in without.err
    assert "nothing was trained" in untrained.err


def test_an_error_in_json_is_one_line(site, heart):
    site.json("clone", heart)

    ran = site("push", "--json", cwd=site.folder / "heart")

    told = json.loads(ran.out)
    assert ran.out.count("\n") == 1
    assert (told["status"], told["error_code"]) == ("error", "WorkspaceError")
