"""What our wallet may do on a branch, by the repository's events."""

from dataclasses import dataclass

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


def rights_of(
    history: RepoHistory, me: Address, now: int, proposing: ProposeRight | None
) -> Rights:
    """Gives what plans go by."""
    return Rights(
        may_reject=me == history.authority,
        may_propose=proposing is not None and now >= proposing.since,
    )
