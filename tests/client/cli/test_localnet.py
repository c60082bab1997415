"""The command `flair localnet` as a process, and the owner's verbs over its RPC."""

import contextlib
import json
import signal
import subprocess
import sys

import httpx
import pytest


@contextlib.contextmanager
def running(*arguments):
    """A localnet that has said where it answers; stopped at the end."""
    command = [sys.executable, "-m", "flair_client.cli", "localnet", "--port", "0"]
    child = subprocess.Popen(
        [*command, "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield child, json.loads(child.stdout.readline())["result"]
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_an_owner_sets_up_a_repository_and_a_kill_loses_nothing(flair):
    flair("wallet", "new")
    with running() as (child, first):
        assert flair("wallet", "airdrop", "10").code == 0
        assert flair("repo", "create", "heart-risk").code == 0
        assert (
            flair("policy", "create", "--repo", "heart-risk", "--n-params", "9").code
            == 0
        )
        assert flair("branch", "create", "main", "--repo", "heart-risk").code == 0
        before = flair("repo", "show", "heart-risk", "--json").line["result"]
        child.send_signal(signal.SIGKILL)
        child.wait()

    with running() as (child, again):
        after = flair("repo", "show", "heart-risk", "--json").line["result"]
        branches = flair("branch", "list", "--repo", "heart-risk").out
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0

    assert again["genesis_hash"] == first["genesis_hash"]
    assert after["event_seq"] == 3
    assert after == before
    assert "main" in branches


def test_an_empty_list_of_branches_says_so(flair):
    flair("wallet", "new")
    with running():
        flair("wallet", "airdrop", "10")
        flair("repo", "create", "heart-risk")

        assert "no branches" in flair("branch", "list", "--repo", "heart-risk").err


def test_a_reset_forgets_the_chain_and_is_asked_for_twice(flair):
    with running() as (_, first):
        pass

    assert flair("localnet", "--reset").code == 2
    assert flair("localnet", "--force").code == 2
    with running("--reset", "--force") as (_, second):
        assert second["genesis_hash"] != first["genesis_hash"]


def test_refuses_a_second_one_in_the_same_folder(flair):
    with running():
        refused = flair("localnet", "--port", "0")

    assert refused.code == 3
    assert "another localnet runs in" in refused.err


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_refuses_a_port_that_is_none(flair, port):
    assert flair("localnet", "--port", port).code == 2


@pytest.mark.parametrize("network", ["devnet", "mainnet", "test-validator"])
def test_it_is_never_another_network(flair, network):
    refused = flair("localnet", "--port", "0", "--network", network)

    assert refused.code == 2
    assert f"never '{network}'" in refused.err


@pytest.mark.parametrize("origin", ["*", "null", "localhost:5000", "http://a/b"])
def test_refuses_an_origin_that_is_none(flair, origin):
    refused = flair("localnet", "--port", "0", "--allow-origin", origin)

    assert refused.code == 2
    assert "is not an origin such as" in refused.err


def test_pages_of_an_allowed_origin_are_answered(flair):
    page = "http://localhost:5000"
    question = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    with running("--allow-origin", page) as (_, net):
        answers = [
            httpx.post(net["url"], json=question, headers={"origin": origin})
            for origin in (page, "http://localhost:5001")
        ]

    assert [one.status_code for one in answers] == [200, 403]
    assert answers[0].headers["access-control-allow-origin"] == page


def test_a_damaged_chain_is_named(flair, tmp_path):
    (tmp_path / "chain").mkdir()
    (tmp_path / "chain" / "ledger.db").write_bytes(b"no ledger" * 1000)

    refused = flair("localnet", "--port", "0", "--data-dir", str(tmp_path / "chain"))

    assert refused.code == 3
    assert "ledger.db cannot be read: file is not a database" in refused.err


def test_a_store_that_is_a_node_or_a_server_stays_over_a_restart(flair):
    with running():
        pass
    flair("config", "set", "network.localnet.store", "https://store.example")

    with running():
        found = flair("network", "show", "localnet", "--json").line["result"]

    assert found["store_url"] == "https://store.example"
