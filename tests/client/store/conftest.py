"""Real Kubo nodes at loopback, where the program is to be found."""

import os

import pytest

from flair_client.store.ipfs_daemon import find_kubo, run_kubo


@pytest.fixture(scope="session")
def kubo_program():
    found = find_kubo(os.environ.get("FLAIR_KUBO"))
    if found is None:
        pytest.skip("no ipfs on PATH or in ~/.cache/flair/bin: scripts/install-kubo")
    return found


@pytest.fixture(scope="session")
def kubo(kubo_program, tmp_path_factory):
    """A node that all tests share; each block is some test's own."""
    with run_kubo(kubo_program, tmp_path_factory.mktemp("kubo") / "repo") as node:
        yield node
