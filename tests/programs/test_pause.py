"""Each pause bit blocks its instructions and no other; ways out stay open.

That every other instruction works under the remaining bits, and closes under all of
them, is also what each instruction's own story runs with.
"""

from collections.abc import Callable, Mapping
from typing import Final

import pytest
from program_harness.chain import CONFIG, Call, Chain
from program_harness.protocol import INSTRUCTIONS
from program_harness.world import (
    SNAPSHOT,
    Place,
    config_create,
    config_set,
    digest,
    make_place,
    ordered,
    repo_create,
)

# docs/protocol.md, "Pause bits".
PAUSES: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("repo_create",),
    2: ("branch_create", "branch_set_policy", "branch_advance", "policy_create"),
    4: ("round_open",),
    8: ("update_push",),
    16: ("merge_accumulate", "merge_propose", "merge_finalize"),
    32: ("role_grant",),
}


def a_repo(place: Place) -> Call:
    place.created()
    return repo_create(place.chain, b"another")


def a_branch(place: Place) -> Call:
    place.created()
    return Place(place.chain, place.name, b"another").branch_create()


def a_revocation(place: Place) -> Call:
    place.created()
    place.chain.send(place.role_grant("a", 1))
    return place.role_revoke("a")


def a_close(place: Place) -> Call:
    place.opened(["a", "b"])
    place.chain.wait(3600)
    return place.round_close()


def an_abort(place: Place) -> Call:
    place.opened()
    place.chain.wait(3600)
    return place.round_abort()


def left_behind(place: Place) -> Place:
    place.closed()
    place.chain.send(place.merge_propose())
    place.chain.send(place.branch_advance(SNAPSHOT, digest("next")))
    return place


CALLS: Final[Mapping[str, Callable[[Place], Call]]] = {
    "config_set": lambda place: config_set(place.created().chain, pause_bits=0),
    "repo_create": a_repo,
    "policy_create": lambda place: place.created().policy_create(),
    "branch_create": a_branch,
    "branch_set_policy": lambda place: place.rooted().branch_set_policy(0),
    "branch_advance": lambda place: place.rooted().branch_advance(1, digest("x")),
    "role_grant": lambda place: place.created().role_grant("a", 1),
    "role_revoke": a_revocation,
    "round_open": lambda place: place.rooted().round_open(),
    "round_close": a_close,
    "round_abort": an_abort,
    "update_push": lambda place: place.opened().update_push("a"),
    "update_withdraw": lambda place: place.opened(["a"]).update_withdraw("a"),
    "update_reject": lambda place: place.opened(["a"]).update_reject("a"),
    "update_expire": lambda place: left_behind(place).update_expire("a", 1),
    "update_settle": lambda place: place.merged().update_settle("a", 1),
    "merge_accumulate": lambda place: place.closed().merge_accumulate(
        ordered(["a", "b"])
    ),
    "merge_propose": lambda place: place.closed().merge_propose(),
    "merge_finalize": lambda place: place.proposed().merge_finalize(),
    "merge_expire": lambda place: left_behind(place).merge_expire(index=1),
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
