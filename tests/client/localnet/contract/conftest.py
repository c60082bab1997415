"""One set of tests for two chains: the localnet, and a real node where there is one.

The node is shared by all tests of a run, in whatever process they are.
"""

import contextlib
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from contract_chain import Chain
from contract_sharing import share

from flair_client.chain.signer import KeypairSigner
from flair_client.localnet import start_localnet
from flair_client.localnet.validator import PROGRAM, find_validator

KINDS = ("localnet", pytest.param("validator", marks=pytest.mark.validator))


@pytest.fixture(scope="session", params=KINDS)
def chain(request, tmp_path_factory):
    """A chain with Flair's program on it."""
    with contextlib.ExitStack() as held:
        if request.param == "localnet":
            folder = tmp_path_factory.mktemp("contract") / "net"
            found = held.enter_context(start_localnet(folder))
            operator = found.operator_wallet
        else:
            binary = find_validator(os.environ.get("FLAIR_TEST_VALIDATOR"))
            if binary is None:
                pytest.skip(f"there is no {PROGRAM}; scripts/install-validator")
            found = held.enter_context(share(binary, tmp_path_factory))
            operator = found.authority
        chain = Chain(request.param, found.url, operator)
        held.callback(chain.close)
        yield chain


@pytest.fixture
def wallet(chain):
    """A new wallet with ten SOL."""
    signer = KeypairSigner.generate()
    chain.fund(signer)
    return signer


@pytest.fixture(scope="session")
def rich(chain):
    """A wallet with money that many tests share."""
    signer = KeypairSigner.generate()
    chain.fund(signer, 100)
    return signer
