"""`flair pin add` in a clone: of a head whose blocks lie in a folder or in a node."""

import os

import pytest
from service import TOKEN, Service, serving
from work_world import Net, running_net

from flair_client.ids import CommitId
from flair_client.store.ipfs_daemon import find_kubo, run_kubo


@pytest.fixture(autouse=True)
def _token(monkeypatch):
    monkeypatch.setenv("FLAIR_PIN_TOKEN", TOKEN)


@pytest.fixture
def service():
    return Service(steps=("pinned",))


def test_a_head_is_pinned_once_and_its_successor_takes_its_place(tmp_path, service):
    with running_net(tmp_path) as net, serving(service) as url:
        owner = net.person("owner")
        net.publish(owner, "heart")
        folder = owner.folder / "heart"
        owner.json("config", "set", "pin.url", url)

        made = owner.json("pin", "add", cwd=folder)
        again = owner.json("pin", "add", "HEAD", cwd=folder)
        request = made["pin"]["request_id"]
        newer = owner.json("pin", "add", "--replace", request, cwd=folder)
        listed = owner("pin", "list")

    commit = CommitId.parse(made["commit"])
    assert made["pin"]["cid"] == str(commit.cid)
    assert made["pin"]["state"] == "pinned"
    assert again["pin"]["request_id"] == request
    assert newer["pin"]["request_id"] != request
    assert f"flair {commit.short}" in listed.out
    assert all("origins" not in body for body in service.bodies)


def test_a_service_hears_where_the_node_is_and_the_node_meets_it(tmp_path, service):
    program = find_kubo(os.environ.get("FLAIR_KUBO"))
    if program is None:
        pytest.skip("no ipfs on PATH or in ~/.cache/flair/bin: scripts/install-kubo")
    service.steps = ("queued", "pinned")
    with (
        running_net(tmp_path) as chain,
        run_kubo(program, tmp_path / "kubo") as node,
        serving(service) as url,
    ):
        net = Net(chain.url, chain.genesis_hash, node.url, tmp_path)
        owner = net.person("owner")
        net.publish(owner, "heart")

        made = owner(
            "pin", "add", "--service", url, "--no-wait", cwd=owner.folder / "heart"
        )

    assert made.code == 0, made.err
    assert "queued" in made.out
    (body,) = service.bodies
    assert all(one.startswith("/") for one in body.get("origins", []))
