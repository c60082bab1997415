"""What our wallet may do on a branch, by the repository's events."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flair_aggregator.round import BranchView, Rights
from flair_client.chain.accounts import Scope, UpdateStatus
from flair_client.chain.pdas import find_role_pda
from flair_client.history.records import RepoHistory
from flair_client.ids import ZERO_ADDRESS, Address

_COUNTED = (UpdateStatus.ACCEPTED, UpdateStatus.ACCUMULATED)


@dataclass(frozen=True, slots=True)
class ProposeRight:
    """By what a wallet may propose a merge; neither for the owner.

    Attributes:
        role: address of its role.
        own_update: address of its update of this round.
        since: when the right begins, on the chain's clock.
    """

    role: Address | None = None
    own_update: Address | None = None
    since: int = 0


def propose_right(
    history: RepoHistory, view: BranchView, me: Address, program_id: Address
) -> ProposeRight | None:
    """Gives the right by which the wallet may propose, or nothing."""
    if me == history.authority:
        return ProposeRight()
    if view.branch.value.protected:
        return None
    for where in (view.branch.address, ZERO_ADDRESS):
        role = history.roles.get((me, where))
        epoch = history.authority_epoch
        if role is None or not role.holds(
            view.branch.address, Scope.MERGE, view.now, epoch
        ):
            continue
        named = None if where == ZERO_ADDRESS else where
        found = find_role_pda(history.repo, named, me, program_id)[0]
        return ProposeRight(role=found)
    if view.live is None:
        return None
    # Contributors finish what aggregators leave lying, once the deadline has passed.
    for update in view.live.updates:
        if update.value.contributor == me and update.value.status in _COUNTED:
            deadline = view.live.round.value.deadline
            return ProposeRight(own_update=update.address, since=deadline)
    return None


@dataclass(frozen=True, slots=True)
class Ending:
    """A role that ends, or has ended.

    Attributes:
        at: seconds; the chain's clock.
        notice: how far ahead it is told: a week, a day, or not at all any more.
    """

    at: int
    notice: str

    @property
    def next_at(self) -> int:
        """When something else is to be said about it."""
        return self.at - _NOTICES.get(self.notice, 0)

    @property
    def text(self) -> str:
        """What people are told; empty while it is far off."""
        if not self.notice:
            return ""
        moment = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.at))
        if self.notice == "over":
            return (
                f"our role to merge ended at {moment}: nothing more is proposed until "
                "the owner grants a new one"
            )
        return (
            f"our role to merge ends within a {self.notice}, at {moment}: ask the "
            "owner for a new one"
        )


# The first notice, and the second, in seconds ahead; the rest is over.
_NOTICES: Final[Mapping[str, int]] = {"": 7 * 86_400, "week": 86_400, "day": 0}


def role_ending(
    history: RepoHistory, branch: Address, me: Address, now: int
) -> Ending | None:
    """Gives when the wallet's role to merge ends; None for the owner, or for ever.

    Of several roles the last to end counts. A role that an earlier owner gave is none.
    """
    if me == history.authority:
        return None
    ends = [
        role.expires_at
        for where in (branch, ZERO_ADDRESS)
        if (role := history.roles.get((me, where))) is not None
        and role.scope & Scope.MERGE
        and role.authority_epoch == history.authority_epoch
    ]
    if not ends or 0 in ends:
        return None
    at = max(ends)
    for notice, ahead in (("over", 0), ("day", 86_400), ("week", 7 * 86_400)):
        if now >= at - ahead:
            return Ending(at, notice)
    return Ending(at, "")


def rights_of(
    history: RepoHistory, me: Address, now: int, proposing: ProposeRight | None
) -> Rights:
    """Gives what plans go by."""
    return Rights(
        may_reject=me == history.authority,
        may_propose=proposing is not None and now >= proposing.since,
    )
