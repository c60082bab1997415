"""What events say about who may act, and who acted for whom."""

import pytest
from history_world import BOT, NO_DIGEST, OWNER, SITES, STRANGER, World
from member_events import HOUR, KEY, MACHINE, ask, delegate, invite, redeem, refused

from flair_client.chain import events as ev
from flair_client.chain.accounts import Scope
from flair_client.errors import VerificationError
from flair_client.history.verify import verify_branch
from flair_client.ids import ZERO_ADDRESS, Address


@pytest.fixture
def world():
    return World()


def test_an_invite_gives_its_role_until_it_is_used_up(world):
    invite(world, role_expires_at=world.now + 9 * HOUR)
    redeem(world, role_expires_at=world.now + 9 * HOUR)

    role = world.history.roles[SITES[0].address, ZERO_ADDRESS]
    assert (role.scope, role.expires_at) == (Scope.CONTRIBUTE, world.now + 9 * HOUR)
    assert world.history.invites[KEY.address].uses_left == 1

    redeem(world, SITES[1], role_expires_at=world.now + 9 * HOUR, uses_left=0)
    assert world.history.invites == {}
    assert (SITES[1].address, ZERO_ADDRESS) in world.history.roles


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"uses_left": 2}, "wrong number of uses"),
        ({"uses_left": 0}, "wrong number of uses"),
        ({"scope": Scope.MERGE}, "not what the invite offers"),
        ({"role_expires_at": 5}, "not what the invite offers"),
        ({"branch": Address(bytes([7]) * 32)}, "not what the invite offers"),
        ({"key": SITES[3].address}, "there is no such invite"),
    ],
)
def test_a_role_that_no_invite_offers_is_refused(world, changes, reason):
    invite(world)
    redeem(world, **changes)

    assert reason in refused(world)


def test_an_invite_that_had_expired_gives_nothing(world):
    invite(world)
    world.now += HOUR
    redeem(world)

    assert "had expired" in refused(world)


def test_an_invite_that_was_revoked_gives_nothing(world):
    invite(world)
    world.emit(ev.InviteRevoked, OWNER, key=KEY.address)
    redeem(world)

    assert "there is no such invite" in refused(world)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "there is such an invite"),
        ({"key": SITES[2].address, "uses": 0}, "without uses"),
        (
            {"key": SITES[2].address, "branch": Address(bytes([7]) * 32)},
            "there is no branch",
        ),
        ({"key": SITES[2].address, "expires_at": 0}, "expired when it was made"),
        (
            {"key": SITES[2].address, "scope": Scope.MERGE | Scope.ADMINISTER},
            "for the right 10",
        ),
        ({"key": SITES[2].address, "scope": Scope(0)}, "for the right 0"),
    ],
)
def test_an_invite_that_cannot_be_made_is_refused(world, changes, reason):
    invite(world)
    invite(world, **changes)

    assert reason in refused(world)


def test_revoking_what_is_not_there_is_refused(world):
    world.emit(ev.InviteRevoked, OWNER, key=KEY.address)

    assert "there is no such invite" in refused(world)


def test_a_request_waits_until_it_is_closed(world):
    ask(world)
    assert world.history.join_requests == {SITES[0].address: world.main}

    closed = {"applicant": SITES[0].address, "branch": world.main}
    world.emit(ev.JoinClosed, OWNER, **closed)
    assert world.history.join_requests == {}

    world.emit(ev.JoinClosed, OWNER, **closed)
    assert "there is no such request" in refused(world)


def test_a_second_request_of_one_wallet_is_refused(world):
    ask(world)
    ask(world)

    assert "asked already" in refused(world)


def test_the_sponsor_is_the_last_that_was_named(world):
    assert world.history.sponsor == ZERO_ADDRESS
    world.emit(ev.RepoSponsorSet, OWNER, sponsor=BOT.address)

    assert world.history.sponsor == BOT.address


def test_an_account_with_another_sponsor_than_its_events_is_named(world):
    world.publish_root()
    world.account_changes["sponsor"] = BOT.address

    with pytest.raises(VerificationError, match="sponsor"):
        verify_branch(world, world.store, world.repo_address, "main")

    world.emit(ev.RepoSponsorSet, OWNER, sponsor=BOT.address)
    verify_branch(world, world.store, world.repo_address, "main")


def merged_by_machine(world):
    world.publish_root()
    delegate(world)
    world.open_round()
    update = world.push(SITES[0], 3, by=MACHINE)
    world.push(SITES[1], 1)
    world.close_round()
    world.accumulate()
    merge = world.finalize(world.make_merge(OWNER), by=OWNER)
    return update, merge


def test_a_delegated_keys_update_counts_for_its_wallet(world):
    update, merge = merged_by_machine(world)

    checked = verify_branch(world, world.store, world.repo_address, "main")
    assert checked.commits[-1].commit_id == merge
    record = world.history.rounds[world.main, 1].updates[SITES[0].address]
    assert (record.commit_id, record.signer) == (update, MACHINE.address)


def test_a_delegated_keys_update_signed_by_the_wallet_is_named(world):
    # Whoever pushes must be who made the commit: neither can use the other's.
    world.publish_root()
    delegate(world)
    world.open_round()
    copied = world.put_update(SITES[0], 3)
    world.push(SITES[0], by=MACHINE, pushed=copied)
    world.push(SITES[1], 1)
    world.close_round()
    world.accumulate()
    world.finalize(world.make_merge(OWNER, weights=world.head()[1].weights), by=OWNER)

    with pytest.raises(VerificationError, match="is signed by"):
        verify_branch(world, world.store, world.repo_address, "main")


@pytest.mark.parametrize("case", ["none", "expired", "revoked", "others", "reversed"])
def test_a_push_by_a_key_that_acts_for_nobody_is_refused(world, case):
    world.publish_root()
    if case in ("expired", "revoked"):
        delegate(world)
    if case == "others":
        delegate(world, SITES[2])
    if case == "reversed":
        delegate(world, MACHINE, SITES[0])
    if case == "revoked":
        world.emit(
            ev.DelegationRevoked,
            SITES[0],
            wallet=SITES[0].address,
            key=MACHINE.address,
        )
    world.open_round()
    if case == "expired":
        world.now += HOUR
    world.push(SITES[0], by=MACHINE)

    assert f"did not act for {SITES[0].address}" in refused(world)


@pytest.mark.parametrize("case", ["twice", "itself", "revoked twice"])
def test_a_delegation_that_cannot_be_is_refused(world, case):
    if case == "itself":
        delegate(world, SITES[0], SITES[0])
        assert "to itself" in refused(world)
        return
    delegate(world)
    if case == "twice":
        delegate(world)
        assert "there is such a delegation" in refused(world)
        return
    for _ in range(2):
        world.emit(
            ev.DelegationRevoked,
            SITES[0],
            wallet=SITES[0].address,
            key=MACHINE.address,
        )
    assert "there is no such delegation" in refused(world)


def wrong_actors(world):
    """Events that another one signed than the program lets."""
    site, other = SITES[0].address, SITES[1]
    update = {"branch": world.main, "round_index": 1, "contributor": site}
    return {
        "redeem": lambda: world.emit(
            ev.InviteRedeemed,
            other,
            key=KEY.address,
            grantee=site,
            branch=ZERO_ADDRESS,
            scope=Scope.CONTRIBUTE,
            role_expires_at=0,
            uses_left=1,
        ),
        "ask": lambda: world.emit(
            ev.JoinRequested,
            other,
            applicant=site,
            branch=world.main,
            scope=Scope.CONTRIBUTE,
            note_digest=NO_DIGEST,
        ),
        "delegate": lambda: world.emit(
            ev.DelegationCreated,
            other,
            wallet=site,
            key=KEY.address,
            expires_at=world.now + 9,
        ),
        "revoke": lambda: world.emit(
            ev.DelegationRevoked, other, wallet=site, key=MACHINE.address
        ),
        "sponsor": lambda: world.emit(ev.RepoSponsorSet, other, sponsor=site),
        "withdraw": lambda: world.emit(
            ev.UpdateWithdrawn, other, commit_id=world.pushed_id, **update
        ),
    }


@pytest.mark.parametrize(
    "name", ["redeem", "ask", "delegate", "revoke", "sponsor", "withdraw"]
)
def test_what_another_one_signed_is_refused(world, name):
    world.publish_root()
    invite(world)
    delegate(world)
    world.open_round()
    world.pushed_id = world.push(SITES[0], by=MACHINE)
    wrong_actors(world)[name]()

    assert "by somebody else" in refused(world)


def test_its_key_withdraws_an_update_and_anyone_ends_an_old_delegation(world):
    world.publish_root()
    delegate(world)
    world.open_round()
    pushed = world.push(SITES[0], by=MACHINE)
    world.emit(
        ev.UpdateWithdrawn,
        MACHINE,
        branch=world.main,
        round_index=1,
        contributor=SITES[0].address,
        commit_id=pushed,
    )
    world.now += HOUR
    gone = {"wallet": SITES[0].address, "key": MACHINE.address}
    world.emit(ev.DelegationRevoked, STRANGER, **gone)

    assert world.history.delegations == {}
    assert world.history.rounds[world.main, 1].updates == {}


@pytest.mark.parametrize("hours", [0, 366 * 24 + 1])
def test_a_delegation_of_no_time_or_too_long_is_refused(world, hours):
    delegate(world, hours=hours)

    assert "lasts" in refused(world)
