"""The shipped program, deployed and upgraded by the loader of either chain."""

import contextlib
from importlib.resources import files

import pytest
from contract_chain import CONFIRMED, SOL

from flair_client.chain.client import ChainClient
from flair_client.chain.loader import code_digest
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.context import Context
from flair_client.errors import Refused
from flair_client.porcelain.program_deploy import code_on_chain, program_deploy
from flair_client.settings import NetworkProfile
from flair_client.store.memory import MemoryStore

CODE = files("flair_client.chain").joinpath("flair.so").read_bytes()


@pytest.fixture(scope="module")
def enter(chain):
    """Gives a wallet's context; its profile names the program of a key."""
    key = KeypairSigner.generate()
    with contextlib.closing(ChainClient(Rpc(chain.url))) as client:

        def open_as(signer):
            network = NetworkProfile("here", chain.url, None, key.address, "memory:")
            return Context(network, client, MemoryStore(), signer)

        yield key, open_as


@pytest.fixture(scope="module")
def deployed(enter, chain):
    """The program, deployed by a wallet: its context and what was done."""
    key, open_as = enter
    owner = KeypairSigner.generate()
    chain.fund(owner, 20)
    ctx = open_as(owner)
    return ctx, program_deploy(ctx, CODE, program_key=key)


def balance(chain, signer):
    return chain.ask("getBalance", str(signer.address), CONFIRMED)["value"]


def test_the_code_on_chain_is_the_code_that_was_sent(deployed):
    ctx, done = deployed
    found = code_on_chain(ctx)

    assert (done.action, done.bytes_sent, done.bytes_there) == ("deploy", len(CODE), 0)
    assert found.digest == done.digest == code_digest(CODE)
    assert (found.authority, found.size) == (ctx.wallet.address, len(CODE))


def test_what_it_costs_was_told(deployed, chain):
    ctx, done = deployed

    spent = 20 * SOL - balance(chain, ctx.wallet)

    # The buffer's money is back; a part that was sent twice costs a fee more.
    assert done.rent_lamports < spent
    assert spent < done.rent_lamports + 2 * done.fee_lamports


def test_what_is_there_already_is_left_alone(deployed, chain):
    ctx, _ = deployed
    before = balance(chain, ctx.wallet)

    again = program_deploy(ctx, CODE)

    assert (again.action, again.bytes_sent, again.rent_lamports) == ("nothing", 0, 0)
    assert balance(chain, ctx.wallet) == before


def test_a_dry_run_sends_nothing(deployed, chain):
    ctx, _ = deployed
    before = balance(chain, ctx.wallet)

    plan = program_deploy(ctx, CODE + b"\1", dry_run=True)

    assert (plan.action, plan.is_dry_run) == ("upgrade", True)
    assert plan.bytes_sent == len(CODE) + 1
    assert balance(chain, ctx.wallet) == before


def test_another_wallet_upgrades_nothing(deployed, enter, wallet, chain):
    before = balance(chain, wallet)

    with pytest.raises(Refused, match="the upgrade authority of"):
        program_deploy(enter[1](wallet), CODE + b"\1")

    assert balance(chain, wallet) == before


def test_the_first_deployment_needs_the_program_s_key(chain, wallet):
    with contextlib.closing(ChainClient(Rpc(chain.url))) as client:
        nowhere = KeypairSigner.generate().address
        network = NetworkProfile("here", chain.url, None, nowhere, "memory:")

        with pytest.raises(Refused, match="needs the key of"):
            program_deploy(Context(network, client, MemoryStore(), wallet), CODE)


def test_an_upgrade_to_longer_code_gets_more_room(deployed):
    ctx, _ = deployed
    # What stands behind the sections of an ELF file does not matter to it.
    longer = CODE + bytes(2_000) + b"\1"

    done = program_deploy(ctx, longer)

    found = code_on_chain(ctx)
    assert done.action == "upgrade"
    assert found.digest == code_digest(longer)
    # More room than needed: the loader extends by 10 KiB at least.
    assert found.size == len(CODE) + 10_240
    assert found.authority == ctx.wallet.address
