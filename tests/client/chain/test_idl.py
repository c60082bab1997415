"""The Python mirror against the IDL that the program's build made."""

import json
from importlib.resources import files

import pytest

from flair_client.chain import layout
from flair_client.chain.accounts import ACCOUNT_NAMES, account_discriminator
from flair_client.chain.arguments import ARGUMENTS
from flair_client.chain.errors import PROGRAM_ERRORS
from flair_client.chain.events import EVENT_KINDS
from flair_client.chain.instructions import (
    ACCOUNTS,
    account_flags,
    instruction_discriminator,
)
from flair_client.chain.pdas import PROGRAM_ID

IDL = json.loads(files("flair_client.chain").joinpath("flair.json").read_text())
TYPES = {one["name"]: one["type"] for one in IDL["types"]}
SIZES = {
    "u8": 1,
    "bool": 1,
    "u16": 2,
    "i16": 2,
    "u32": 4,
    "u64": 8,
    "i64": 8,
    "u128": 16,
    "pubkey": 32,
}


def size_of(kind) -> int:
    match kind:
        case str():
            return SIZES[kind]
        case {"array": [inner, int(count)]}:
            return size_of(inner) * count
        case {"defined": {"name": str(name)}}:
            return sum(size_of(field["type"]) for field in TYPES[name]["fields"])
    raise AssertionError(kind)


def test_the_program_has_the_address_that_the_client_calls():
    assert IDL["address"] == str(PROGRAM_ID)


def test_the_client_builds_every_instruction():
    assert {one["name"] for one in IDL["instructions"]} == set(ACCOUNTS)
    assert set(ACCOUNTS) == set(ARGUMENTS)


@pytest.mark.parametrize("idl", IDL["instructions"], ids=lambda one: one["name"])
def test_accounts_and_discriminator_are_the_programs(idl):
    expected = [
        (
            one["name"].removesuffix("_program"),
            one.get("writable", False),
            one.get("signer", False),
            one.get("optional", False),
        )
        for one in idl["accounts"]
    ]

    mirrored = [
        (name, "w" in flags, "s" in flags, "?" in flags)
        for name, flags in account_flags(idl["name"])
    ]

    assert [*mirrored, *expected[-2:]] == expected
    assert [one[0] for one in expected[-2:]] == ["event_authority", "program"]
    assert instruction_discriminator(idl["name"]) == bytes(idl["discriminator"])


def test_accounts_have_the_programs_discriminators_and_sizes():
    for kind, name in ACCOUNT_NAMES.items():
        idl = next(one for one in IDL["accounts"] if one["name"] == name)

        assert account_discriminator(kind) == bytes(idl["discriminator"])
        assert layout.size_of(kind) == size_of({"defined": {"name": name}})


def test_events_have_the_programs_discriminators():
    expected = {one["name"]: bytes(one["discriminator"]) for one in IDL["events"]}

    assert {
        name: layout.discriminator("event", name) for name in EVENT_KINDS
    } == expected


def test_errors_have_the_programs_numbers_and_words():
    assert {
        one["code"]: (one["name"], one["msg"]) for one in IDL["errors"]
    } == PROGRAM_ERRORS
