"""The command `flair localnet` as a process, and the owner's verbs over its RPC."""

import contextlib
import json
import signal
import subprocess
import sys

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
