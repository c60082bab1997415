"""`flair fsck --remote` and `flair car keep`: where a head can be had."""

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from work_world import running_net

from flair_client.history.graph import manifest_of
from flair_client.ids import CommitId
from flair_client.store import DiskStore


@pytest.fixture
def net(tmp_path):
    with running_net(tmp_path) as found:
        yield found


@pytest.fixture
def clone(net):
    """Somebody's clone: the head of main and what it needs."""
    repo = net.publish(net.person("owner"), "heart")
    site = net.person("site")
    folder = Path(site.json("clone", repo, "copy", "--trust")["folder"])
    return site, folder


def places(ran):
    (head,) = json.loads(ran.out)["result"]["heads"]
    return {one["place"]: one for one in head["places"]}


def test_a_head_is_where_its_blocks_are(net, clone):
    site, folder = clone

    ran = site("fsck", "--remote", "--json", cwd=folder)

    assert ran.code == 0, ran.out
    found = places(ran)
    assert set(found) == {"workspace", net.store}
    assert [one["n_missing"] for one in found.values()] == [0, 0]


def test_a_block_that_the_store_lost_is_named_and_ends_with_5(net, clone):
    site, folder = clone
    store = DiskStore(Path(urlsplit(net.store).path))
    head = CommitId.parse(site.json("status", cwd=folder)["head"])
    lost = manifest_of(store, head).tensors[0].blocks[0]
    store.delete(lost)

    ran = site("fsck", "--remote", "--json", cwd=folder)

    assert ran.code == 5
    found = places(ran)[net.store]
    assert found["n_missing"] == 1
    assert str(lost) in found["first_missing"]


def test_a_gateway_that_has_it_is_as_good(net, clone, tmp_path):
    site, folder = clone
    shutil.rmtree(urlsplit(net.store).path)
    # Nobody listens there: it cannot be asked, and says so.
    site("config", "set", "store.gateways", "http://127.0.0.1:9")

    ran = site("fsck", "--remote", "--json", cwd=folder)

    assert ran.code == 5
    assert "does not answer" in places(ran)["http://127.0.0.1:9"]["error"]
    assert places(ran)["workspace"]["n_missing"] == 0


def test_a_car_is_kept_for_each_head_and_told(net, clone):
    site, folder = clone

    first = site.json("car", "keep", cwd=folder)
    again = site.json("car", "keep", cwd=folder)

    (written,) = first["written"]
    assert Path(written["file"]) == folder / ".flair" / "cars" / "main.car"
    assert (again["written"], again["n_current"]) == ([], 1)
    assert "car" in places(site("fsck", "--remote", "--json", cwd=folder))


def test_every_pull_keeps_a_car_where_that_is_set(net, clone):
    site, folder = clone
    site("config", "set", "car.keep", "true", cwd=folder)
    stale = folder / ".flair" / "cars" / "gone.car"
    stale.parent.mkdir()
    stale.write_bytes(b"of a branch that is gone")

    assert site("pull", cwd=folder).code == 0

    assert [path.name for path in stale.parent.iterdir()] == ["main.car"]


def test_a_damaged_kept_car_is_written_anew(net, clone):
    site, folder = clone
    path = folder / ".flair" / "cars" / "main.car"
    site.json("car", "keep", cwd=folder)
    whole = path.read_bytes()
    path.write_bytes(b"no CAR")

    site.json("car", "keep", cwd=folder)

    assert path.read_bytes() == whole


def test_people_read_it_as_a_table(net, clone):
    site, folder = clone

    ran = site("fsck", "--remote", cwd=folder)

    assert "HEAD" in ran.out
    assert "all " in ran.out


def test_looking_elsewhere_mends_nothing(clone):
    site, folder = clone

    ran = site("fsck", "--remote", "--repair", cwd=folder)

    assert ran.code == 2
