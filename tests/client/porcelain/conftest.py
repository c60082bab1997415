"""A chain in memory and contexts that act on it."""

import pytest

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.context import Context
from flair_client.settings import NetworkProfile
from flair_client.testing import NOW, MemoryChain


@pytest.fixture
def chain():
    return MemoryChain()


@pytest.fixture
def as_(chain):
    """Makes a context in which somebody acts."""

    def make(signer=None):
        return Context(
            network=NetworkProfile(
                "localnet", "http://127.0.0.1:1", None, PROGRAM_ID, "file:///nowhere"
            ),
            chain=chain,
            remote=None,
            signer=signer,
            now=lambda: NOW,
        )

    return make
