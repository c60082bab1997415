"""Participants' processes: steps, refusals, a process that dies."""

import os
import signal

import pytest

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.signer import create_wallet
from flair_client.demo.sites import last_words, start_sites, together, wallet_path
from flair_client.errors import Refused
from flair_client.settings import NetworkProfile


@pytest.fixture
def site(tmp_path):
    create_wallet(wallet_path(tmp_path, "aachen"))
    store = (tmp_path / "blocks").as_uri()
    network = NetworkProfile("localnet", "http://127.0.0.1:9", None, PROGRAM_ID, store)
    with start_sites(["aachen"], network, tmp_path) as sites:
        yield sites[0]


def test_a_refused_step_names_the_site_and_the_reason(site, tmp_path):
    with pytest.raises(Refused, match=f"aachen: there is no workspace at {tmp_path}"):
        site.do("pull")
    # The process goes on.
    with pytest.raises(Refused, match="aachen: there is no workspace"):
        site.do("push")


def test_a_killed_site_is_noticed(site):
    os.kill(site.child.pid, signal.SIGKILL)
    site.child.wait()
    with pytest.raises(Refused, match="aachen: the process ended: without a word"):
        site.do("pull")


def test_a_site_that_breaks_leaves_its_last_words(site):
    with pytest.raises(Refused, match="KeyError: 'no such step'"):
        site.do("no such step")


def test_last_words_are_the_end_of_the_log(tmp_path):
    log = tmp_path / "site.log"
    log.write_text("x" * 5000 + "the end\n")
    assert last_words(log).endswith("xthe end")
    assert len(last_words(log)) == 600


def test_jobs_run_at_the_same_time_and_give_results_in_order():
    # Each waits for the other: one after the other they would never end.
    read, write = os.pipe()

    def first() -> str:
        return os.read(read, 1).decode()

    def second() -> str:
        os.write(write, b"a")
        return "b"

    assert together([first, second]) == ["a", "b"]
