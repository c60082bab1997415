"""`flair fsck`, and what other commands do with broken blocks, against a localnet."""

import shutil
from pathlib import Path

import pytest
from work_world import ROWS, running_net

from flair_client.config_file import write_config
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, CommitId
from flair_client.porcelain.checkout import manifest_of
from flair_client.store import DiskStore
from flair_client.workspace import Workspace


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def plain(net, owner):
    (owner.folder / "rows.csv").write_text(ROWS)
    owner.json("init", "plain", "--columns-from", "rows.csv", "--no-statistics")
    folder = owner.folder / "plain"
    flags = ("--open", "--min-updates", 1)
    return owner.json("repo", "create", "plain", *flags, cwd=folder)["repo"]


@pytest.fixture(scope="module")
def site(net):
    person = net.person("site")
    (person.folder / "rows.csv").write_text(ROWS)
    return person


@pytest.fixture(scope="module")
def original(site, plain):
    """A workspace with an update that was not pushed."""
    folder = Path(site.json("clone", plain, "original", "--trust")["folder"])
    site.json("train", "--data", "../rows.csv", cwd=folder)
    site.json("commit", "-m", "one", cwd=folder)
    return folder


@pytest.fixture
def clone(original, tmp_path):
    """A copy of it, to be broken."""
    return Workspace(shutil.copytree(original, tmp_path / "copy"))


def block_file(workspace, cid):
    suffix = {CODEC_RAW: ".raw", CODEC_DAG_CBOR: ".cbor"}[cid.codec]
    name = cid.digest.hex()
    return workspace.state_folder / "objects" / name[:2] / f"{name}{suffix}"


def tensor_block(workspace):
    """The file of a block of the model at HEAD."""
    manifest = manifest_of(workspace.cache(), workspace.head().commit)
    return block_file(workspace, manifest.by_name()["linear.weight"].blocks[0])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def run(site, workspace, *flags):
    return site("fsck", *flags, cwd=workspace.folder)


def test_a_sound_workspace(site, clone):
    ran = run(site, clone)
    told = site.json("fsck", cwd=clone.folder)

    assert (ran.code, ran.err) == (0, "")
    assert "wrong       0" in ran.out
    assert told["faults"] == []
    assert told["n_commits"] == 2
    assert told["n_blocks"] == len(list(clone.cache()))
    assert told["weights_differ"] is False


def test_a_sound_workspace_of_the_owner(owner, plain):
    assert owner("fsck", cwd=owner.folder / "plain").code == 0


def test_a_flipped_block_is_named_kept_aside_and_repaired(site, clone):
    path = tensor_block(clone)
    whole = path.read_bytes()
    flip(path)

    ran = run(site, clone)
    assert ran.code == 5
    assert "1 thing is wrong, the first: block bafk" in ran.err
    assert "corrupt: its bytes have digest" in ran.err
    assert "flair fsck --repair" in ran.err
    assert "kept aside  1 corrupt" in ran.out
    # It is aside now, so that the next run misses it and can tell what for.
    again = run(site, clone)
    assert again.code == 5
    assert "tensor 'linear.weight', weights of commit" in again.out

    repaired = run(site, clone, "--repair")
    assert repaired.code == 0
    assert "1, 1 of them repaired" in repaired.out
    assert "kept aside  0 corrupt" in repaired.out
    assert path.read_bytes() == whole
    assert run(site, clone).code == 0


@pytest.mark.parametrize("what", ["commit", "manifest", "tensor", "recipe"])
def test_a_missing_block_is_found_and_fetched(site, clone, what):
    head = clone.head().commit
    cids = {
        "commit": head.cid,
        "manifest": read_commit(clone.cache(), head).weights,
        "tensor": manifest_of(clone.cache(), head).tensors[0].blocks[0],
        "recipe": read_commit(clone.cache(), head).recipe,
    }
    path = block_file(clone, cids[what])
    path.unlink()

    ran = run(site, clone)

    assert ran.code == 5
    assert "missing: it is not in this workspace" in ran.err
    assert run(site, clone, "--repair").code == 0
    assert path.exists()
    assert run(site, clone).code == 0


def test_a_block_that_nobody_has_stays_missing(site, clone):
    pending = site.json("status", cwd=clone.folder)["pending"]["commit"]
    path = block_file(clone, CommitId.parse(pending).cid)
    path.unlink()

    ran = run(site, clone, "--repair")

    assert ran.code == 5
    assert f"not pushed yet, commit {pending[:12]}" in ran.err
    status = site.json("status", cwd=clone.folder)
    assert status["pending"]["kind"] is None
    assert status["next_command"] == "flair fsck"


def test_fsck_asks_nobody_without_repair(site, clone, monkeypatch):
    class Nobody:
        def __getattr__(self, name):
            if name == "complaints":
                # Gateways have some; no question to anybody.
                raise AttributeError(name)
            raise AssertionError(name)

    monkeypatch.setattr("flair_client.store.base.open_store", lambda *_: Nobody())

    assert run(site, clone).code == 0


def test_every_block_lost_is_many_faults_and_one_sentence(site, clone):
    for cid in list(clone.cache()):
        block_file(clone, cid).unlink()

    ran = run(site, clone, "--json")

    assert ran.code == 5
    assert "things are wrong, the first: block" in ran.out
    assert run(site, clone, "--repair").code == 5
    again = run(site, clone)
    # All of the repository came back; the update that was not pushed is lost.
    assert "1 thing is wrong" in again.err


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("HEAD", "branch = [", "is damaged"),
        ("HEAD", "branch = 'main'\ncommit = 'x'\n", "is damaged"),
        ("trust.toml", "recipe = 'no'\n", "is damaged"),
        ("state/pending.toml", "\x00", "is damaged"),
        ("state/pending.toml", "kind = 'update'\n", "KeyError: 'commit'"),
        ("state/heads.toml", "main = 'zz'\n", "is not a valid"),
        ("state/verified.toml", "commits = 3\n", "not iterable"),
        ("state/terms.toml", "base = ''\n", "damaged"),
    ],
)
def test_a_damaged_file_is_named_and_put_aside(site, clone, name, content, reason):
    (clone.state_folder / name).write_text(content)

    ran = run(site, clone)

    assert ran.code == 5
    assert f".flair/{name}: damaged: " in ran.err
    assert reason in ran.err
    repaired = run(site, clone, "--repair")
    assert repaired.code == 0
    aside = clone.state_folder / f"{name}.damaged"
    assert aside.read_text() == content
    assert run(site, clone).code == 0
    assert site("pull", cwd=clone.folder).code == 0
    assert clone.head().commit is not None


def test_weights_that_were_changed_are_said_and_left_alone(site, clone):
    shutil.copy(clone.update_path, clone.weights_path)
    before = clone.weights_path.read_bytes()

    ran = run(site, clone, "--repair")

    assert ran.code == 0
    assert "weights.safetensors is not the model at HEAD" in ran.err
    assert clone.weights_path.read_bytes() == before
    clone.weights_path.unlink()
    assert "is not the model at HEAD" in run(site, clone).err


def test_pull_and_export_fetch_a_corrupt_block_again(site, clone):
    path = tensor_block(clone)
    whole = path.read_bytes()
    flip(path)

    assert site("export", "-o", "out.safetensors", cwd=clone.folder).code == 0
    assert path.read_bytes() == whole

    flip(path)
    clone.weights_path.unlink()
    assert site("pull", cwd=clone.folder).code == 0
    assert path.read_bytes() == whole
    out = (clone.folder / "out.safetensors").read_bytes()
    assert clone.weights_path.read_bytes() == out


def test_a_block_that_no_store_has(site, tmp_path):
    site.json("init", "lost", "--columns-from", "rows.csv", "--no-statistics")
    folder = site.folder / "lost"
    store = {"workspace.store": (tmp_path / "blocks").as_uri()}
    write_config(folder / ".flair" / "config.local", store)
    site.json("repo", "create", "lost", "--open", cwd=folder)
    workspace = Workspace(folder)
    head = workspace.head().commit
    cid = manifest_of(workspace.cache(), head).by_name()["linear.weight"].blocks[0]
    whole = block_file(workspace, cid).read_bytes()
    block_file(workspace, cid).unlink()
    DiskStore(tmp_path / "blocks").delete(cid)
    workspace.weights_path.unlink()

    exported = site("export", "-o", "out.safetensors", cwd=folder)
    pulled = site("pull", cwd=folder)
    checked = run(site, workspace, "--repair")

    assert (exported.code, pulled.code, checked.code) == (5, 5, 5)
    assert f"block {cid} is missing" in exported.err
    assert "`flair fsck` lists what is missing" in exported.err
    assert not (folder / "out.safetensors").exists()
    assert not workspace.weights_path.exists()
    # Whoever has it puts it back.
    DiskStore(tmp_path / "blocks").put(CODEC_RAW, whole)
    assert run(site, workspace, "--repair").code == 0
    assert site("pull", cwd=folder).code == 0
    assert workspace.weights_path.exists()


def test_a_block_that_is_no_object_cannot_be_repaired(site, clone):
    manifest = read_commit(clone.cache(), clone.head().commit).weights
    marker = {"kind": "update", "commit": manifest.digest.hex()}
    clone.set_marker("pending", {**marker, "weight": 1, "nonce": "00"})

    ran = run(site, clone, "--repair")

    assert ran.code == 5
    assert "malformed: commit" in ran.err
    assert "not pushed yet" in ran.err
    assert block_file(clone, manifest).exists()


def test_a_block_that_grew_beyond_every_limit(site, clone):
    path = tensor_block(clone)
    whole = path.read_bytes()
    path.write_bytes(bytes(3 << 20))

    ran = run(site, clone)

    assert ran.code == 5
    assert "it has 3145728 bytes, at most" in ran.err
    assert run(site, clone, "--repair").code == 0
    assert path.read_bytes() == whole


def test_a_corrupt_shared_store_repairs_nothing(site, clone, net):
    path = tensor_block(clone)
    shared = next(Path(net.store.removeprefix("file://")).rglob(path.name))
    whole = shared.read_bytes()
    flip(path)
    flip(shared)
    try:
        ran = run(site, clone, "--repair")
    finally:
        shared.parent.mkdir(exist_ok=True)
        shared.write_bytes(whole)

    assert ran.code == 5
    assert "corrupt: its bytes have digest" in ran.err
    assert run(site, clone, "--repair").code == 0


def test_status_reads_a_lost_block_from_the_shared_store(site, clone):
    recipe = read_commit(clone.cache(), clone.head().commit).recipe
    block_file(clone, recipe).unlink()

    # The shared store has it: read through, as every command does.
    assert site("status", cwd=clone.folder).code == 0
    assert block_file(clone, recipe).exists()
