"""Store and RPC lie: `flair verify` names the first thing that is wrong.

The RPC in front of the real one is a process of HTTP's own that changes answers.
"""

import base64
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from team_world import Team

from flair_client.chain.pdas import find_branch_pda, find_policy_pda, find_repo_pda
from flair_client.encoding import decode_delta, decode_manifest
from flair_client.history.graph import read_commit
from flair_client.localnet import start_localnet


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


@pytest.fixture(scope="module")
def team(net, tmp_path_factory):
    """One merge; a store and an RPC of which each test has a tampered copy."""
    made = Team(net, tmp_path_factory.mktemp("team"))
    made.publish()
    made.join(2)
    made.before = account(net.url, repo_of(made))
    made.merge = made.run_round(0.25, 0.5)
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


def repo_of(team):
    return find_repo_pda(team.repo.creator, team.repo.name)[0]


def account(url, address):
    """An account's answer as the RPC gives it."""
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "getAccountInfo",
        "params": [str(address), {"encoding": "base64", "commitment": "confirmed"}],
    }
    return ask(url, body)["result"]["value"]


def ask(url, body):
    return httpx.post(url, json=body, timeout=30).raise_for_status().json()


@contextlib.contextmanager
def lying_rpc(url, change):
    """Hands everything on to the real RPC; accounts go through `change` on the way."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = ask(url, body)
            if body["method"] == "getAccountInfo":
                value = answer["result"]["value"]
                answer["result"]["value"] = change(body["params"][0], value)
            raw = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_args):
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def verify(team, flair, tmp_path, monkeypatch):
    """Runs `flair verify` of a stranger, with another store or RPC."""

    def run(*, store=None, url=None):
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        text = (team.home / "config.toml").read_text()
        if store is not None:
            text = text.replace(team.store_folder.as_uri(), store.as_uri())
        if url is not None:
            text = text.replace(team.net.url, url)
        (home / "config.toml").write_text(text)
        monkeypatch.setenv("FLAIR_HOME", str(home))
        return flair("verify", team.repo, cwd=tmp_path)

    return run


def blocks(team):
    """Blocks that one verification reads: what, the block, and what has to be named."""
    remote = team.owner.remote
    root, merge = read_commit(remote, team.root), read_commit(remote, team.merge)
    update = read_commit(remote, merge.parents[1])
    manifest = decode_manifest(remote.get(merge.weights))
    root_manifest = decode_manifest(remote.get(root.weights))
    delta = decode_delta(remote.get(update.delta))
    in_update = f"update {merge.parents[1].short} of merge {team.merge.short}"
    return {
        "root commit": (team.root.cid, f"commit {team.root.short}"),
        "root weights": (root.weights, f"commit {team.root.short}"),
        "root tensor": (root_manifest.tensors[0].blocks[0], team.root.short),
        "recipe": (root.recipe, f"commit {team.root.short}"),
        "merge commit": (team.merge.cid, f"commit {team.merge.short}"),
        "merge weights": (merge.weights, f"commit {team.merge.short}"),
        "merge tensor": (manifest.tensors[1].blocks[0], f"commit {team.merge.short}"),
        "merge report": (merge.report, f"commit {team.merge.short}"),
        "merge events": (merge.events, f"commit {team.merge.short}"),
        "update commit": (merge.parents[1].cid, in_update),
        "update delta": (update.delta, in_update),
        "update tensor": (delta.tensors[0].blocks[0], in_update),
    }


KINDS = [
    "root commit",
    "root weights",
    "root tensor",
    "recipe",
    "merge commit",
    "merge weights",
    "merge tensor",
    "merge report",
    "merge events",
    "update commit",
    "update delta",
    "update tensor",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["flipped", "missing"])
def test_a_block_that_is_not_itself_or_not_there(team, verify, kind, how, tmp_path):
    cid, named = blocks(team)[kind]
    store = team.copy_store(f"{how}-{kind}")
    (path,) = store.rglob(f"{cid.digest.hex()}.*")
    if how == "missing":
        path.unlink()
    else:
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)

    said = verify(store=store)

    assert said.code == 5, said.err
    assert named in said.err
    assert str(cid) in said.err
    assert ("is missing" if how == "missing" else "is corrupt") in said.err


def test_blocks_of_events_may_be_lost_where_others_have_them(team, verify):
    store = team.copy_store("no-events")
    evidence = team.evidence()
    from flair_client.chain.events import event_root

    for event_bytes in evidence.events:
        (path,) = store.rglob(f"{event_root(event_bytes)}.raw")
        path.unlink()

    assert verify(store=store).code == 0


def test_the_untampered_copy_is_right(team, verify):
    with lying_rpc(team.net.url, lambda _, value: value) as url:
        said = verify(store=team.copy_store("same"), url=url)

    assert said.code == 0, said.err


def flip_byte(value, place):
    data, encoding = value["data"]
    raw = bytearray(base64.b64decode(data))
    raw[place] ^= 1
    return value | {"data": [base64.b64encode(raw).decode(), encoding]}


def swap(address, other):
    return lambda asked, value: other if asked == str(address) else value


def test_an_account_of_another_owner(team, verify):
    repo = repo_of(team)
    true = account(team.net.url, repo)
    other = true | {"owner": "11111111111111111111111111111111"}

    with lying_rpc(team.net.url, swap(repo, other)) as url:
        said = verify(url=url)

    assert said.code == 5
    assert f"account {repo}: " in said.err
    assert "not by the program" in said.err


def test_an_account_of_another_repository(team, verify, net, tmp_path):
    second = Team(net, tmp_path / "second")
    second.publish()
    other = account(net.url, repo_of(second))
    second.owner.chain.close()

    with lying_rpc(team.net.url, swap(repo_of(team), other)) as url:
        said = verify(url=url)

    assert said.code == 5
    assert (
        f"account {repo_of(team)}: its contents belong to another address" in said.err
    )


def test_a_branch_account_of_another_repository(team, verify, net, tmp_path):
    second = Team(net, tmp_path / "second")
    second.publish()
    other = account(net.url, find_branch_pda(repo_of(second), "main")[0])
    second.owner.chain.close()
    branch = find_branch_pda(repo_of(team), "main")[0]

    with lying_rpc(team.net.url, swap(branch, other)) as url:
        said = verify(url=url)

    assert said.code == 5
    assert f"account {branch}: its contents belong to another address" in said.err


def test_a_stale_root_beside_a_new_branch(team, verify):
    with lying_rpc(team.net.url, swap(repo_of(team), team.before)) as url:
        said = verify(url=url)

    assert said.code == 5
    assert f"branch 'main': its head is {team.merge.short}, by events " in said.err


def test_a_branch_that_an_event_made_and_the_rpc_hides(team, verify):
    branch = find_branch_pda(repo_of(team), "main")[0]

    with lying_rpc(team.net.url, swap(branch, None)) as url:
        said = verify(url=url)

    assert said.code == 5
    assert "branch 'main': an event made it, its account is missing" in said.err


def test_any_changed_byte_of_root_head_or_policy_is_named(team, verify):
    repo = repo_of(team)
    branch = find_branch_pda(repo, "main")[0]
    policy = find_policy_pda(repo, 0)[0]
    url = team.net.url
    root_raw = base64.b64decode(account(url, repo)["data"][0])
    root_at = root_raw.index(team.evidence().history.root.raw)
    head_raw = base64.b64decode(account(url, branch)["data"][0])
    head_at = head_raw.index(team.merge.raw)
    policy_true = account(url, policy)
    eta = team.evidence().history.policies[0].params.eta_q24.to_bytes(8, "little")
    eta_at = base64.b64decode(policy_true["data"][0]).index(eta.rstrip(b"\0")) + 2

    for address, place, named in (
        (repo, root_at, f"event {team.evidence().history.event_seq}: cannot be found"),
        (branch, head_at, "branch 'main': its head is "),
        (policy, eta_at, "policy 0: its account is not what its event says"),
    ):
        changed = flip_byte(account(url, address), place)
        with lying_rpc(url, swap(address, changed)) as lying:
            said = verify(url=lying)

        assert said.code == 5, (named, said.err)
        assert named in said.err
