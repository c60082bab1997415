"""The owner changes: what the events may say, and what is void from then on."""

import pytest
from history_world import OWNER, SITES, STRANGER, World
from member_events import grant, invite, redeem, refused

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind, Scope
from flair_client.errors import VerificationError
from flair_client.history.verify import verify_branch
from flair_client.ids import ZERO_ADDRESS, CommitId

HEIR = SITES[3]


@pytest.fixture
def world():
    return World()


def offer(world, to=HEIR.address, by=OWNER):
    world.emit(ev.AuthorityOffered, by, new_authority=to)


def accept(world, by=HEIR, **changes):
    taken = {
        "old_authority": OWNER.address,
        "new_authority": HEIR.address,
        "authority_epoch": 1,
    }
    world.emit(ev.AuthorityAccepted, by, **(taken | changes))


def test_the_wallet_that_was_offered_to_becomes_the_owner(world):
    offer(world)
    assert world.history.offered_to == HEIR.address
    accept(world)

    history = world.history
    assert (history.authority, history.authority_epoch) == (HEIR.address, 1)
    assert history.offered_to == ZERO_ADDRESS


@pytest.mark.parametrize(
    ("to", "by", "reason"),
    [
        (HEIR.address, STRANGER, "offered by somebody else"),
        (OWNER.address, OWNER, "offered to its own authority"),
        (ZERO_ADDRESS, OWNER, "changes no offer"),
    ],
)
def test_an_offer_that_cannot_be_made_is_refused(world, to, by, reason):
    offer(world, to, by)

    assert reason in refused(world)


@pytest.mark.parametrize(
    ("by", "changes", "reason"),
    [
        (STRANGER, {"new_authority": STRANGER.address}, "not offered"),
        (STRANGER, {}, "taken for somebody else"),
        (HEIR, {"old_authority": STRANGER.address}, "taken from somebody else"),
        (HEIR, {"authority_epoch": 0}, "wrong epoch"),
        (HEIR, {"authority_epoch": 2}, "wrong epoch"),
    ],
)
def test_a_change_that_cannot_have_happened_is_refused(world, by, changes, reason):
    offer(world)
    accept(world, by, **changes)

    assert reason in refused(world)


def test_an_offer_that_was_taken_back_gives_nothing(world):
    offer(world)
    offer(world, ZERO_ADDRESS)
    accept(world)

    assert "not offered" in refused(world)


def test_the_old_owner_cannot_give_anything_any_more(world):
    offer(world)
    accept(world)
    grant(world)

    assert "who may not" in refused(world)


def test_a_role_of_the_old_owner_gives_no_right(world):
    grant(world, scope=Scope.ADMINISTER)
    offer(world)
    accept(world)
    grant(world, by=SITES[0], grantee=SITES[1].address)

    assert "who may not" in refused(world)


def test_an_invite_of_the_old_owner_gives_no_role(world):
    invite(world)
    offer(world)
    accept(world)
    redeem(world)

    assert "older than the authority" in refused(world)


def test_whose_role_is_void_moves_no_branch(world):
    grant(world, scope=Scope.ADMINISTER)
    offer(world)
    accept(world)
    moved = {
        "branch": world.main,
        "kind": MoveKind.ROOT,
        "old_head": CommitId(bytes(32)),
        "new_head": CommitId(bytes([1]) * 32),
        "new_seq": 1,
        "ended_round": False,
        "round_index": 0,
    }
    world.emit(ev.BranchAdvanced, HEIR, **moved)

    (move,) = world.history.branches[world.main].moves
    assert move.may_sign == {HEIR.address}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"authority": HEIR.address}, "another authority"),
        ({"authority_epoch": 1}, "another authority"),
        ({"pending_authority": HEIR.address}, "another offer"),
    ],
)
def test_an_account_that_says_otherwise_than_its_events_is_named(
    world, changes, reason
):
    world.publish_root()
    verify_branch(world, world.store, world.repo_address, "main")
    world.account_changes.update(changes)

    with pytest.raises(VerificationError, match=reason):
        verify_branch(world, world.store, world.repo_address, "main")
