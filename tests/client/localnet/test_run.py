"""A localnet as a real process: kept across kills, one per folder, loopback only."""

import contextlib
import os
import random
import signal
import threading

import pytest

from flair_client.chain.client import ChainClient
from flair_client.chain.instructions import repo_create
from flair_client.chain.pdas import CLOCK_ID, find_repo_pda
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.transport import Patience
from flair_client.errors import ChainError, FlairError, ProgramRefused, UsageError
from flair_client.localnet import read_ready, run_localnet, start_localnet
from flair_client.localnet.run import open_node

SIGNER = KeypairSigner(b"\5" * 32)
IMPATIENT = Patience(timeout_s=5, attempts=1)


@contextlib.contextmanager
def running(folder):
    with start_localnet(folder) as net:
        rpc = Rpc(net.url, genesis_hash=net.genesis_hash, patience=IMPATIENT)
        with contextlib.closing(ChainClient(rpc)) as chain:
            yield net, chain


def create(chain: ChainClient, name: str):
    instruction = repo_create(
        payer=SIGNER.address, creator=SIGNER.address, name=name, points_per_merge=1
    )
    return chain.send([instruction], [SIGNER])


def test_what_was_confirmed_is_there_after_every_kill(tmp_path):
    seeded = random.Random(11)
    confirmed: dict[str, list[bytes]] = {}
    genesis_hashes = set()
    for life in range(4):
        with contextlib.suppress(FlairError), running(tmp_path) as (net, chain):
            genesis_hashes.add(net.genesis_hash)
            for name, events in confirmed.items():
                address = find_repo_pda(SIGNER.address, name)[0]
                assert chain.repo(address).event_seq == len(events)
                assert chain.events_since(address, 0) == events
            if life == 0:
                chain.wait_for(chain.rpc.request_airdrop(SIGNER.address, 10**10))
            killer = threading.Timer(
                seeded.uniform(0.05, 0.6), os.kill, (net.pid, signal.SIGKILL)
            )
            killer.start()
            for n in range(1000):
                confirmed_events = create(chain, f"repo-{life}-{n}").events
                confirmed[f"repo-{life}-{n}"] = confirmed_events

    assert len(confirmed) >= 3
    assert len(genesis_hashes) == 1
    with running(tmp_path) as (_, chain):
        for name, events in confirmed.items():
            address = find_repo_pda(SIGNER.address, name)[0]
            assert chain.events_since(address, 0) == events


def test_a_program_error_comes_with_its_name(tmp_path):
    with running(tmp_path) as (_, chain):
        chain.wait_for(chain.rpc.request_airdrop(SIGNER.address, 10**10))

        with pytest.raises(ProgramRefused) as refused:
            create(chain, "Bad Name")

        assert (refused.value.number, refused.value.name) == (6008, "NameInvalid")
        assert str(chain.config().genesis_tag)[:28] == b"flair-localnet".hex()


def test_a_second_process_on_the_same_folder_is_refused(tmp_path):
    with (
        start_localnet(tmp_path),
        pytest.raises(ChainError, match="another localnet runs"),
        start_localnet(tmp_path),
    ):
        pass

    assert read_ready(tmp_path) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_another_host_than_this_machine_is_refused(tmp_path, host):
    with pytest.raises(UsageError, match="answers this machine only"):
        run_localnet(tmp_path, host)


def test_clock_account_goes_on_without_transactions(tmp_path):
    wall_ms = [1_800_000_000_000]
    with open_node(tmp_path, wall_ms=lambda: wall_ms[0]) as node:
        first = node.bank.account(CLOCK_ID)
        wall_ms[0] += 60_000
        second = node.bank.account(CLOCK_ID)

    # Slot, epoch start, epoch, leader epoch, then the time: eight bytes each.
    times = [int.from_bytes(one.data[32:40], "little") for one in (first, second)]
    assert times[1] - times[0] == 60
