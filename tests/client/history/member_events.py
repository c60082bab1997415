"""Events about who may act, as the program sends them; each field may be changed."""

import pytest
from history_world import BOT, NO_DIGEST, OWNER, SITES, STRANGER

from flair_client.chain import events as ev
from flair_client.chain.accounts import Scope
from flair_client.errors import VerificationError
from flair_client.ids import ZERO_ADDRESS

KEY = STRANGER
MACHINE = BOT
HOUR = 3600


def invite(world, **changes):
    offered = {
        "key": KEY.address,
        "branch": ZERO_ADDRESS,
        "scope": Scope.CONTRIBUTE,
        "expires_at": world.now + HOUR,
        "role_expires_at": 0,
        "uses": 2,
    }
    world.emit(ev.InviteCreated, OWNER, **(offered | changes))


def redeem(world, who=SITES[0], **changes):
    taken = {
        "key": KEY.address,
        "grantee": who.address,
        "branch": ZERO_ADDRESS,
        "scope": Scope.CONTRIBUTE,
        "role_expires_at": 0,
        "uses_left": 1,
    }
    world.emit(ev.InviteRedeemed, who, **(taken | changes))


def delegate(world, wallet=SITES[0], key=MACHINE, hours=1):
    world.emit(
        ev.DelegationCreated,
        wallet,
        wallet=wallet.address,
        key=key.address,
        expires_at=world.now + hours * HOUR,
    )


def refused(world):
    """Why the last event cannot have happened."""
    with pytest.raises(VerificationError) as caught:
        _ = world.history
    assert caught.value.where == f"event {len(world.events)}"
    return caught.value.reason


def ask(world, who=SITES[0]):
    world.emit(
        ev.JoinRequested,
        who,
        applicant=who.address,
        branch=world.main,
        scope=Scope.CONTRIBUTE,
        note_digest=NO_DIGEST,
    )


def grant(world, by=OWNER, **changes):
    given = {
        "grantee": SITES[0].address,
        "branch": ZERO_ADDRESS,
        "scope": Scope.CONTRIBUTE,
        "expires_at": 0,
    }
    world.emit(ev.RoleGranted, by, **(given | changes))
