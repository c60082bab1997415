"""Roles, invites and requests: what is given, and by whom, to the second."""

import pytest
from history_world import OWNER, SITES, World
from member_events import HOUR, KEY, ask, grant, invite, redeem, refused

from flair_client.chain import events as ev
from flair_client.chain.accounts import Scope
from flair_client.ids import ZERO_ADDRESS


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize("again", [grant, redeem])
def test_a_role_that_is_there_is_not_given_again(world, again):
    invite(world)
    grant(world)
    again(world)

    assert "there is such a role" in refused(world)


def test_a_role_that_was_revoked_is_given_again(world):
    invite(world)
    grant(world)
    gone = {"grantee": SITES[0].address, "branch": ZERO_ADDRESS}
    world.emit(ev.RoleRevoked, OWNER, **gone)
    redeem(world)

    assert (SITES[0].address, ZERO_ADDRESS) in world.history.roles


@pytest.mark.parametrize("past", [0, 1, HOUR])
def test_a_role_that_is_over_is_not_given(world, past):
    grant(world, expires_at=world.now - past)

    assert "expired when it was given" in refused(world)


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_an_invites_role_is_given_until_the_second_of_its_end(world, late):
    invite(world, role_expires_at=world.now + 60)
    until = world.now + 60
    world.now = until + late
    redeem(world, role_expires_at=until)

    if late < 0:
        assert (SITES[0].address, ZERO_ADDRESS) in world.history.roles
    else:
        assert "expired when it was given" in refused(world)


@pytest.mark.parametrize("until", [-1, 1, 1_800_000_000])
def test_an_invite_for_a_role_that_is_over_is_refused(world, until):
    assert world.now == 1_800_000_000
    invite(world, role_expires_at=until)

    assert "its roles have expired" in refused(world)


@pytest.mark.parametrize(("uses", "passes"), [(1_000, True), (1_001, False)])
def test_an_invite_has_at_most_a_thousand_uses(world, uses, passes):
    invite(world, uses=uses)

    if passes:
        assert world.history.invites[KEY.address].uses_left == uses
    else:
        assert "1001 uses" in refused(world)


def test_a_role_without_any_right_is_refused(world):
    grant(world, scope=Scope(0))

    assert "for the right 0" in refused(world)


@pytest.mark.parametrize("scope", [16, 17, 1 << 15])
@pytest.mark.parametrize("make", [grant, invite])
def test_rights_that_nobody_knows_are_refused(world, make, scope):
    make(world, scope=Scope(scope))

    assert f"{scope} is no Scope" in refused(world)


def by_right(world, actor):
    """Events for which one has to administer where they take effect."""
    gone = {"branch": world.main}
    site = SITES[0].address
    return {
        "grant": lambda: grant(world, actor, grantee=KEY.address, **gone),
        "revoke": lambda: world.emit(ev.RoleRevoked, actor, grantee=site, **gone),
        "invite": lambda: world.emit(
            ev.InviteCreated,
            actor,
            key=SITES[2].address,
            scope=Scope.MERGE,
            expires_at=world.now + 9,
            role_expires_at=0,
            uses=1,
            **gone,
        ),
        "revoke an invite": lambda: world.emit(
            ev.InviteRevoked, actor, key=KEY.address
        ),
        "answer": lambda: world.emit(ev.JoinClosed, actor, applicant=site, **gone),
    }


BY_RIGHT = ["grant", "revoke", "invite", "revoke an invite", "answer"]
HELPER = SITES[3]


def with_helper(world, **right):
    """What can be undone in `main`, and a helper with a right, or with none."""
    grant(world, branch=world.main)
    invite(world, branch=world.main, expires_at=world.now + 9 * HOUR)
    ask(world)
    if right:
        grant(world, grantee=HELPER.address, **right)
    return by_right(world, HELPER)


@pytest.mark.parametrize("name", BY_RIGHT)
@pytest.mark.parametrize("case", ["none", "another right", "another branch", "over"])
def test_whoever_does_not_administer_is_refused(world, case, name):
    end = world.now + HOUR
    right = {
        "none": {},
        "another right": {"scope": Scope.MERGE | Scope.CONTRIBUTE},
        "another branch": {"scope": Scope.ADMINISTER, "branch": world.add_branch("b")},
        "over": {"scope": Scope.ADMINISTER, "expires_at": end},
    }[case]
    act = with_helper(world, **right)[name]
    world.now = end
    act()

    assert "who may not" in refused(world)


@pytest.mark.parametrize("name", BY_RIGHT)
@pytest.mark.parametrize("where", ["repository", "branch"])
def test_an_administrator_acts_until_its_role_ends(world, name, where):
    branch = ZERO_ADDRESS if where == "repository" else world.main
    end = world.now + HOUR
    right = {"scope": Scope.ADMINISTER, "expires_at": end, "branch": branch}
    act = with_helper(world, **right)[name]
    world.now = end - 1
    act()

    assert world.history.event_seq == len(world.events)


@pytest.mark.parametrize("name", ["grant", "revoke"])
def test_only_the_owner_makes_or_ends_administrators(world, name):
    admin = {"scope": Scope.ADMINISTER}
    grant(world, grantee=HELPER.address, **admin)
    grant(world, **admin)
    if name == "grant":
        grant(world, HELPER, grantee=KEY.address, **admin)
    else:
        gone = {"grantee": SITES[0].address, "branch": ZERO_ADDRESS}
        world.emit(ev.RoleRevoked, HELPER, **gone)

    assert "who may not" in refused(world)


def test_whoever_made_an_invite_takes_it_back_without_its_role(world):
    grant(world, grantee=HELPER.address, scope=Scope.ADMINISTER)
    made = {"branch": ZERO_ADDRESS, "scope": Scope.MERGE, "uses": 1}
    until = {"expires_at": world.now + HOUR, "role_expires_at": 0}
    world.emit(ev.InviteCreated, HELPER, key=KEY.address, **made, **until)
    gone = {"grantee": HELPER.address, "branch": ZERO_ADDRESS}
    world.emit(ev.RoleRevoked, OWNER, **gone)
    world.emit(ev.InviteRevoked, HELPER, key=KEY.address)

    assert world.history.invites == {}


@pytest.mark.parametrize("late", [-1, 0])
def test_anyone_ends_an_invite_once_it_has_expired(world, late):
    invite(world)
    world.now += HOUR + late
    world.emit(ev.InviteRevoked, SITES[2], key=KEY.address)

    if late < 0:
        assert "who may not" in refused(world)
    else:
        assert world.history.invites == {}


def test_an_applicant_takes_its_request_back(world):
    ask(world)
    mine = {"applicant": SITES[0].address, "branch": world.main}
    world.emit(ev.JoinClosed, SITES[0], **mine)

    assert world.history.join_requests == {}
