"""A repository survives its store: from one file, in a clone or in a new store."""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from work_world import running_net

from flair_client.ids import CommitId
from flair_client.store import open_store
from flair_client.store.ipfs_daemon import find_kubo, run_kubo


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("car")) as found:
        yield found


def test_a_lost_store_is_filled_again_from_a_file(net):
    owner = net.person("owner")
    repo = net.publish(owner, "heart")
    file = owner.folder / "heart.car"
    made = owner.json("car", "export", "-o", file, cwd=owner.folder / "heart")
    store = Path(urlsplit(net.store).path)
    shutil.rmtree(store)
    assert owner("verify", repo).code != 0

    done = owner.json("car", "import", file, "--store")

    assert done["commit"] == made["commit"]
    assert done["n_blocks"] == done["n_new"] == made["n_blocks"]
    assert owner("verify", repo).code == 0


def test_a_repository_is_exported_by_its_address_alone(net):
    owner = net.person("address")
    repo = net.publish(owner, "lung")

    made = owner.json("car", "export", repo)

    path = owner.folder / f"{made['commit'][:12]}.car"
    assert Path(made["file"]).name == path.name
    assert path.stat().st_size == made["n_bytes"]


def test_a_clone_takes_a_commit_of_another_and_names_it(net):
    owner, other = net.person("one"), net.person("two")
    net.publish(owner, "liver")
    net.publish(other, "liver")
    file = owner.folder / "liver.car"
    made = owner.json("car", "export", "-o", file, cwd=owner.folder / "liver")

    ran = other("car", "import", file, cwd=other.folder / "liver")

    assert ran.code == 0, ran.err
    assert f"flair tag NAME {made['commit'][:12]}" in ran.err
    tagged = other("tag", "theirs", made["commit"], cwd=other.folder / "liver")
    assert tagged.code == 0, tagged.err
    shown = other.json("show", "theirs", cwd=other.folder / "liver")
    assert shown["commit"] == made["commit"]


def test_a_broken_file_ends_with_code_5_and_says_where(net, tmp_path):
    owner = net.person("broken")
    net.publish(owner, "skin")
    file = owner.folder / "skin.car"
    owner.json("car", "export", "-o", file, cwd=owner.folder / "skin")
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)

    ran = owner("car", "import", file, "--json", cwd=owner.folder / "skin")

    assert ran.code == 5
    found = json.loads(ran.out)
    assert found["error_code"] == "CarInvalid"
    assert "CAR, byte " in found["message"]
    assert "another CAR" in found["hint"]


def test_an_ipfs_node_takes_the_file_and_gives_it_back(net, tmp_path):
    program = find_kubo(os.environ.get("FLAIR_KUBO"))
    if program is None:
        pytest.skip("no ipfs on PATH or in ~/.cache/flair/bin: scripts/install-kubo")
    owner = net.person("ipfs")
    net.publish(owner, "eye")
    file = owner.folder / "eye.car"
    made = owner.json("car", "export", "-o", file, cwd=owner.folder / "eye")
    with run_kubo(program, tmp_path / "repo") as node:
        owner("config", "set", "network.localnet.store", node.url)

        done = owner.json("car", "import", file, "--store", cwd=owner.folder)

        assert done["n_new"] == made["n_blocks"]
        assert open_store(node.url).has(CommitId.parse(made["commit"]).cid)
        again = owner.json(
            "car", "export", made["commit"], "-o", "again.car", cwd=owner.folder / "eye"
        )
    assert (owner.folder / "eye" / "again.car").read_bytes() == file.read_bytes()
    assert again["n_blocks"] == made["n_blocks"]
