"""What reaches no instruction, and forged events."""

from dataclasses import replace
from typing import Final

import pytest
from program_harness.acts import config_create, config_set
from program_harness.call import CONFIG, EVENT_AUTHORITY
from program_harness.calls import CALLS
from program_harness.chain import Chain
from program_harness.protocol import (
    EVENT_TAG,
    EVENTS,
    INSTRUCTIONS,
    PROGRAM_ID,
    discriminator,
)
from program_harness.refusal import ABSENT_PROGRAM, DATA, SEEDS, SIGNER
from program_harness.tampering import spare_address
from program_harness.world import make_place
from solders.instruction import AccountMeta, Instruction


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0", bytes(7), bytes(8), discriminator("global", "initialize")),
        *(
            discriminator("account", "Repo"),
            discriminator("global", "config_create")[:7],
        ),
    ],
    ids=bytes.hex,
)
def test_refuses_data_that_names_no_instruction(data: bytes):
    chain = Chain()

    assert chain.refusal(Instruction(PROGRAM_ID, data, [])) == (0, DATA)


def test_refuses_an_event_that_nobody_signed():
    chain = Chain()
    meta = AccountMeta(EVENT_AUTHORITY, False, False)

    error = chain.refusal(Instruction(PROGRAM_ID, EVENT_TAG + bytes(200), [meta]))

    assert error == (0, SIGNER)


def test_refuses_an_event_signed_by_a_wallet():
    chain = Chain()
    meta = AccountMeta(chain.sponsor.pubkey(), True, False)

    error = chain.refusal(Instruction(PROGRAM_ID, EVENT_TAG + bytes(200), [meta]))

    assert error == (0, SEEDS)


def test_refuses_an_event_without_accounts():
    chain = Chain()

    error = chain.refusal(Instruction(PROGRAM_ID, EVENT_TAG + bytes(200), []))

    assert error == (0, "NotEnoughAccountKeys")


@pytest.mark.parametrize("name", [name for name in CALLS if name != "config_create"])
def test_each_instruction_needs_its_own_discriminator(name: str):
    """The same accounts and arguments under another name do something else or fail."""
    place = make_place()
    call = CALLS[name](place)
    instruction = call.instruction
    data = discriminator("global", f"{name}_v2") + bytes(instruction.data)[8:]
    wrong = Instruction(PROGRAM_ID, data, instruction.accounts)

    transaction = place.chain.transaction(call)
    keys = {bytes(key.pubkey()): key for key in call.keys}
    assert len(keys) + 1 == transaction.message.header.num_required_signatures
    assert place.chain.refusal(replace_data(call, wrong)) == (0, DATA)


def replace_data(call, wrong: Instruction):
    """A call whose bytes are another's, signed as before."""

    class Forged(type(call)):
        @property
        def instruction(self):
            return wrong

    return Forged(call.name, call.accounts, call.arguments, call.signers, call.more)


OPTIONAL: Final = {
    name
    for name in CALLS
    if any("?" in flags for _, flags in INSTRUCTIONS[name].accounts)
}


@pytest.mark.parametrize("name", sorted(set(CALLS) - OPTIONAL))
def test_the_runtime_refuses_another_account_in_the_programs_slot(name: str):
    """The program calls itself for its event, so it must be among its accounts."""
    place = make_place()
    call = CALLS[name](place).with_accounts(program=spare_address("program"))

    place.chain.expect_refusal(call, ABSENT_PROGRAM)


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_the_programs_slot_is_not_read_where_the_program_stands_for_none(name: str):
    """Whatever stands there: the event is the program's own and joins the chain."""
    place = make_place()
    call = CALLS[name](place)
    signer = next(flags for flags in call.signers if flags != "payer")

    event = place.chain.act(
        call.with_accounts(program=spare_address("program")),
        place.repo,
        call.signers[signer],
    )

    assert event[0] in EVENTS


@pytest.mark.parametrize("extra", [b"\0", b"\1", bytes(32)], ids=len)
def test_bytes_behind_the_arguments_change_nothing(extra: bytes):
    """Later versions may append arguments; this one reads its own and no more."""
    chain = Chain()
    chain.send(config_create(chain))
    call = config_set(chain, fee_bps=7)
    row = INSTRUCTIONS["config_set"]

    chain.send(replace(call, data=row.arguments.encode(call.arguments) + extra))

    assert chain.read(CONFIG).fee_bps == 7
