"""What became of an update that was pushed, perhaps rounds ago; no verb itself."""

from dataclasses import dataclass

from flair_client.chain.accounts import RoundState, UpdateStatus
from flair_client.context import Context
from flair_client.errors import AlreadyPushed
from flair_client.history.evidence import gather_evidence
from flair_client.history.records import RoundPhase
from flair_client.ids import CommitId
from flair_client.objects import Commit
from flair_client.porcelain.outbox import contributor_in
from flair_client.porcelain.pushed import PushOutcome
from flair_client.porcelain.target import BranchTarget
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True)
class Fate:
    """Where an update that the chain has taken stands.

    Attributes:
        outcome: accepted as long as its round is in progress.
        weight: that the chain counts it with.
        round_state: of the round in progress; None where it is over.
        merge: the commit that holds it.
    """

    outcome: PushOutcome
    weight: int
    round_state: RoundState | None = None
    merge: CommitId | None = None


def find_fate(
    ctx: Context,
    store: Store,
    place: BranchTarget,
    commit_id: CommitId,
    commit: Commit,
) -> Fate | None:
    """Tells what became of a contributor's update; None where the chain has it not.

    A round in progress is looked up in its accounts. Those of a round that is over may
    be closed already; what happened in it is in the events.

    Raises:
        AlreadyPushed: another update of the contributor is in the round in progress.
        VerificationError: events or accounts of the repository are wrong.
    """
    account = place.account
    if commit.round_index is None or account.round_index < commit.round_index:
        return None
    if account.round_index > commit.round_index:
        return _in_the_past(ctx, store, place, commit_id, commit)
    if not account.round_live:
        return None
    target = place.round(account.round_index)
    contributor = contributor_in(store, commit)
    there = ctx.chain.update(target.address, contributor)
    if there is None:
        return None
    if there.commit_id != commit_id:
        mine = contributor == ctx.wallet.address
        whose = "this wallet" if mine else f"the wallet {contributor}"
        raise AlreadyPushed(
            f"update {there.commit_id.short} of {whose} is in round "
            f"{account.round_index} already"
        )
    if there.status is UpdateStatus.REJECTED:
        return Fate(PushOutcome.REJECTED, there.weight, target.account.state)
    return Fate(PushOutcome.ACCEPTED, there.weight, target.account.state)


def _in_the_past(
    ctx: Context,
    store: Store,
    place: BranchTarget,
    commit_id: CommitId,
    commit: Commit,
) -> Fate | None:
    history = gather_evidence(
        ctx.chain,
        store,
        place.repo.address,
        place.account.name,
        genesis_hash=ctx.network.genesis_hash,
        progress=ctx.progress,
    ).evidence.history
    record = history.rounds.get((place.address, commit.round_index or 0))
    if record is None:
        return None
    update = record.updates.get(contributor_in(store, commit))
    if update is None or update.commit_id != commit_id:
        return None
    if update.reject_reason:
        return Fate(PushOutcome.REJECTED, update.weight)
    if record.phase is not RoundPhase.MERGED:
        return Fate(PushOutcome.ENDED, update.weight)
    moves = history.branches[place.address].moves
    merge = next(move.new_head for move in moves if move.round is record)
    return Fate(PushOutcome.MERGED, update.weight, merge=merge)
