"""What sponsors are tried with."""

import sys
from pathlib import Path

import pytest

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.wire import read_transaction
from flair_client.sponsor.rules import Terms
from flair_client.testing import REPO

sys.path.insert(0, str(Path(__file__).parent))

from sponsor_world import SPONSOR, wire_of


@pytest.fixture
def terms():
    return Terms(SPONSOR.address, PROGRAM_ID, frozenset({REPO}), 10_000)


@pytest.fixture
def asked():
    """Gives the decoded transaction of some instructions."""

    def make(*steps, signers, **more):
        return read_transaction(wire_of(*steps, signers=signers, **more))

    return make
