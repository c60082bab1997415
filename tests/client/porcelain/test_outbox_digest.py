"""An approval covers where everything goes and what the chain is asked for."""

from dataclasses import replace

import pytest

from flair_client.chain.instructions import AccountMeta, Instruction
from flair_client.context import Context
from flair_client.ids import CODEC_RAW, Address, Cid, CommitId
from flair_client.porcelain.outbox_digest import outbox_digest
from flair_client.porcelain.transfer import Outgoing
from flair_client.settings import NetworkProfile
from flair_client.site_rules import NO_RULES

PROGRAM = Address(bytes([1]) * 32)
OTHER = Address(bytes([2]) * 32)
NETWORK = NetworkProfile(
    name="devnet",
    rpc_url="https://rpc.example/v1?key=a",
    genesis_hash="genesis",
    program_id=PROGRAM,
    store_url="https://me:secret@store.example/ward",
)
META = AccountMeta(OTHER, is_signer=True, is_writable=False)
PUSH = Instruction(PROGRAM, (META,), b"data", "update_push")
BLOCK = Outgoing(Cid(CODEC_RAW, bytes(32)), "delta", 5)


def digest(*, sponsor=None, fields=(), blocks=(BLOCK,), push=PUSH, **changed):
    network = replace(NETWORK, **changed)
    ctx = Context(network, None, None, site=NO_RULES, sponsor_url=sponsor)
    return outbox_digest(ctx, CommitId(bytes(32)), blocks, fields, [push])


CHANGES = {
    "store's folder": {"store_url": "https://me:secret@store.example/icu"},
    "store's user": {"store_url": "https://you:secret@store.example/ward"},
    "store's scheme": {"store_url": "http://me:secret@store.example/ward"},
    "store's port": {"store_url": "https://me:secret@store.example:444/ward"},
    "query of the RPC": {"rpc_url": "https://rpc.example/v1?key=b"},
    "path of the RPC": {"rpc_url": "https://rpc.example/v2?key=a"},
    "genesis": {"genesis_hash": "another"},
    "genesis that is not pinned": {"genesis_hash": None},
    "sponsor": {"sponsor": "https://pay.example/a"},
    "field": {"fields": (("commit.message", "one"),)},
    "block": {"blocks": ()},
    "program": {"push": replace(PUSH, program_id=OTHER)},
    "data": {"push": replace(PUSH, data=b"date")},
    "account": {"push": replace(PUSH, accounts=(replace(META, address=PROGRAM),))},
    "signer": {"push": replace(PUSH, accounts=(replace(META, is_signer=False),))},
    "writable": {"push": replace(PUSH, accounts=(replace(META, is_writable=True),))},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_voids_an_approval(change):
    assert digest() == digest()
    assert digest(**change) != digest()


def test_a_sponsors_path_counts():
    both = [digest(sponsor=f"https://pay.example/{name}") for name in "ab"]

    assert both[0] != both[1]


def test_a_new_password_goes_to_the_same_place():
    changed = digest(store_url="https://me:other@store.example/ward")

    assert changed == digest()
