"""Each pause bit blocks its instructions and no other; ways out stay open.

That every other instruction works under the remaining bits, and closes under all of
them, is also what each instruction's own story runs with.
"""

from collections.abc import Mapping
from typing import Final

import pytest
from program_harness.acts import config_create
from program_harness.call import CONFIG
from program_harness.calls import CALLS
from program_harness.chain import Chain
from program_harness.protocol import INSTRUCTIONS
from program_harness.world import make_place

# docs/protocol.md, "Pause bits".
PAUSES: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("repo_create",),
    2: (
        *("branch_create", "branch_set_policy", "branch_advance", "branch_merge"),
        "policy_create",
    ),
    4: ("round_open",),
    8: ("update_push",),
    16: (
        *("merge_accumulate", "merge_propose", "merge_approve", "merge_attest"),
        "merge_finalize",
    ),
    32: (
        *("role_grant", "invite_create", "invite_redeem", "join_request"),
        "delegation_create",
    ),
}


def test_every_instruction_is_in_the_table():
    assert {*CALLS, "config_create"} == set(INSTRUCTIONS)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("bit", PAUSES)
def test_a_bit_refuses_its_instructions_and_no_other(name: str, bit: int):
    place = make_place()
    call = CALLS[name](place)
    place.chain.edit(CONFIG, pause_bits=bit)

    if name in PAUSES[bit]:
        place.chain.expect_refusal(call, "Paused")
    else:
        place.chain.send(call)


@pytest.mark.parametrize("name", CALLS)
def test_all_bits_leave_every_way_out_open(name: str):
    place = make_place()
    call = CALLS[name](place)
    place.chain.edit(CONFIG, pause_bits=sum(PAUSES))

    if any(name in names for names in PAUSES.values()):
        place.chain.expect_refusal(call, "Paused")
    else:
        place.chain.send(call)


def test_the_config_itself_is_made_with_any_bits():
    chain = Chain()

    chain.send(config_create(chain, pause_bits=63))

    assert chain.read(CONFIG).pause_bits == 63
