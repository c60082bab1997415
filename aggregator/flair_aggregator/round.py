"""The round as a pure state machine: what the chain says now → steps that may be made.

Nothing here sends, reads or waits. Every step is derived from account values alone, so
an aggregator that was killed anywhere goes on where the chain stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from flair_aggregator.votes import missing_votes, needs_votes
from flair_client.chain.accounts import (
    AttestationAccount,
    BranchAccount,
    MergeCandidateAccount,
    PolicyParams,
    RoundAccount,
    RoundState,
    UpdateAccount,
    UpdateStatus,
)
from flair_client.errors import ObjectInvalid, TooFewUpdates
from flair_client.ids import Address, CommitId
from flair_client.strategies import choice_of

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Located(Generic[T_co]):
    """An account value and where it was read."""

    address: Address
    value: T_co


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an update cannot be merged.

    Attributes:
        reason_code: goes on chain when the owner rejects.
        text: for people.
        is_final: False while it may still be put right, as a missing block.
    """

    reason_code: int
    text: str
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class RoundView:
    """One live round, as read at one moment.

    Attributes:
        updates: every `Update` account of the round.
        candidates: every merge candidate of the round.
        faults: by contributor, for updates that are not sound.
        valid_candidates: commits of candidates that were verified, ours included.
    """

    round: Located[RoundAccount]
    params: PolicyParams
    updates: tuple[Located[UpdateAccount], ...]
    candidates: tuple[Located[MergeCandidateAccount], ...] = ()
    faults: Mapping[Address, Fault] = field(default_factory=dict)
    valid_candidates: frozenset[CommitId] = frozenset()


@dataclass(frozen=True, slots=True)
class Leftover:
    """A round that is over but still has accounts."""

    round: Located[RoundAccount]
    updates: tuple[Located[UpdateAccount], ...]


@dataclass(frozen=True, slots=True)
class BranchView:
    """Everything on chain that concerns one branch, at one moment.

    Attributes:
        now: the chain's clock, seconds.
        stale_candidates: candidates of rounds that are over.
        stale_attestations: attestations of rounds that are over.
        authority_epoch: how often the owner changed; older votes count no more.
    """

    now: int
    branch: Located[BranchAccount]
    live: RoundView | None
    leftovers: tuple[Leftover, ...] = ()
    stale_candidates: tuple[Located[MergeCandidateAccount], ...] = ()
    stale_attestations: tuple[Located[AttestationAccount], ...] = ()
    authority_epoch: int = 0


@dataclass(frozen=True, slots=True)
class Rights:
    """What our wallet may do on this branch."""

    may_reject: bool
    may_propose: bool


@dataclass(frozen=True, slots=True)
class OpenRound:
    """Opens the branch's next round."""

    round_index: int


@dataclass(frozen=True, slots=True)
class CloseRound:
    """Closes the live round to further updates."""

    round: Located[RoundAccount]


@dataclass(frozen=True, slots=True)
class AbortRound:
    """Ends a round that cannot be merged any more."""

    round: Located[RoundAccount]
    reason: str


@dataclass(frozen=True, slots=True)
class RejectUpdate:
    """Leaves an unsound update out, signed by the owner, with a public reason."""

    round: Located[RoundAccount]
    update: Located[UpdateAccount]
    fault: Fault


@dataclass(frozen=True, slots=True)
class Accumulate:
    """Lets the chain add up the next updates, in its order."""

    round: Located[RoundAccount]
    updates: tuple[Located[UpdateAccount], ...]


@dataclass(frozen=True, slots=True)
class Propose:
    """Makes the merge commit and proposes it."""

    round: Located[RoundAccount]


@dataclass(frozen=True, slots=True)
class Finalize:
    """Moves the head to a candidate."""

    round: Located[RoundAccount]
    candidate: Located[MergeCandidateAccount]


@dataclass(frozen=True, slots=True)
class SettleUpdate:
    """Credits and closes an update of a merged round."""

    round: Located[RoundAccount]
    update: Located[UpdateAccount]


@dataclass(frozen=True, slots=True)
class ExpireUpdate:
    """Closes an update of a round that was not merged."""

    round: Located[RoundAccount]
    update: Located[UpdateAccount]


@dataclass(frozen=True, slots=True)
class ExpireCandidate:
    """Closes a candidate that was not chosen."""

    candidate: Located[MergeCandidateAccount]


@dataclass(frozen=True, slots=True)
class ExpireAttestation:
    """Closes an attestation whose round is over."""

    attestation: Located[AttestationAccount]


Step: TypeAlias = (
    OpenRound
    | CloseRound
    | AbortRound
    | RejectUpdate
    | Accumulate
    | Propose
    | Finalize
    | SettleUpdate
    | ExpireUpdate
    | ExpireCandidate
    | ExpireAttestation
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be done now, most urgent first, and why the rest has to wait.

    Attributes:
        waits: sentences for the log.
        wake_at: earliest time, on the chain's clock, when something can be done.
    """

    steps: tuple[Step, ...]
    waits: tuple[str, ...] = ()
    wake_at: int | None = None


def plan(
    view: BranchView, rights: Rights, *, open_rounds: bool, batch_size: int
) -> Plan:
    """The steps that the chain allows now.

    Whoever carries one out reads the chain again before the next: others act too.

    Args:
        view: of the branch.
        rights: of our wallet.
        open_rounds: open a round where none is live.
        batch_size: most updates that one transaction can accumulate.
    """
    steps = _closing_steps(view)
    live = view.live
    if live is None:
        if open_rounds and any(view.branch.value.head_commit.raw):
            return Plan((*steps, OpenRound(view.branch.value.round_index)))
        return Plan(steps, ("no round is in progress",))
    rejects = _rejects(view.now, live) if rights.may_reject else ()
    if live.round.value.state is RoundState.OPEN:
        own = _plan_open(view.now, live)
    else:
        own = _plan_closed(view, live, rights, batch_size)
    if rejects:
        # The set of updates changes first, the rest is planned again after it.
        return Plan((*rejects, *steps))
    return Plan((*own.steps, *steps), own.waits, own.wake_at)


def _closing_steps(view: BranchView) -> tuple[Step, ...]:
    """What gives accounts of finished rounds back."""
    steps: list[Step] = []
    for leftover in view.leftovers:
        state = leftover.round.value.state
        if state is RoundState.MERGED:
            steps += [SettleUpdate(leftover.round, u) for u in leftover.updates]
        elif leftover.updates:
            steps += [ExpireUpdate(leftover.round, u) for u in leftover.updates]
        elif state in (RoundState.OPEN, RoundState.CLOSED):
            steps.append(AbortRound(leftover.round, "the head moved otherwise"))
    steps += [ExpireCandidate(candidate) for candidate in view.stale_candidates]
    steps += [ExpireAttestation(vote) for vote in view.stale_attestations]
    return tuple(steps)


def _counted(live: RoundView) -> tuple[Located[UpdateAccount], ...]:
    """Updates that will be merged, in the chain's order of accumulation."""
    counted = (
        u
        for u in live.updates
        if u.value.status in (UpdateStatus.ACCEPTED, UpdateStatus.ACCUMULATED)
    )
    return tuple(
        sorted(counted, key=lambda u: (-u.value.weight, u.value.contributor.raw))
    )


def _rejects(now: int, live: RoundView) -> tuple[RejectUpdate, ...]:
    """Unsound updates, to be left out by the owner.

    One that may still be put right, as missing blocks, gets half of the merge's time.
    """
    patience_ends = (
        live.round.value.closed_at + live.params.merge_grace_s // 2
        if live.round.value.state is RoundState.CLOSED
        else None
    )
    return tuple(
        RejectUpdate(live.round, update, fault)
        for update in live.updates
        if update.value.status in (UpdateStatus.PENDING, UpdateStatus.ACCEPTED)
        and (fault := live.faults.get(update.value.contributor)) is not None
        and (fault.is_final or (patience_ends is not None and now >= patience_ends))
    )


def _plan_open(now: int, live: RoundView) -> Plan:
    located = live.round
    is_full = located.value.n_accepted >= live.params.max_updates
    is_over = now >= located.value.deadline
    if is_full or (is_over and located.value.n_accepted >= live.params.min_updates):
        return Plan((CloseRound(located),))
    if is_over:
        n, n_wanted = located.value.n_accepted, live.params.min_updates
        text = f"{n} of {n_wanted} updates in time"
        return Plan((AbortRound(located, text),))
    text = (
        f"round {located.value.round_index} is open: "
        f"{located.value.n_accepted} of {live.params.max_updates} updates"
    )
    return Plan((), (text,), located.value.deadline)


def _plan_closed(
    view: BranchView, live: RoundView, rights: Rights, batch_size: int
) -> Plan:
    now, located, params = view.now, live.round, live.params
    abort_at = located.value.closed_at + params.challenge_s + params.merge_grace_s
    valid = _alive(view, live)
    blocked = _why_blocked(live, rights, has_candidate=bool(valid))
    if blocked:
        if now >= abort_at:
            return Plan((AbortRound(located, blocked[0]),))
        return Plan((), blocked, abort_at)
    counted = _counted(live)
    waiting = [u for u in counted if u.value.status is UpdateStatus.ACCEPTED]
    if waiting:
        return Plan((Accumulate(located, tuple(waiting[:batch_size])),))
    if not valid:
        if needs_votes(params) and now >= abort_at:
            return Plan((AbortRound(located, "nobody could agree to a merge in time"),))
        return Plan((Propose(located),))
    return _plan_candidates(view, live, valid, abort_at)


def _plan_candidates(
    view: BranchView,
    live: RoundView,
    valid: tuple[Located[MergeCandidateAccount], ...],
    abort_at: int,
) -> Plan:
    """Finishes the oldest candidate that everybody agreed to, or waits."""
    now, located, params = view.now, live.round, live.params
    missing = [missing_votes(c.value, view.authority_epoch, params) for c in valid]
    agreed = [c for c, text in zip(valid, missing, strict=True) if not text]
    if not agreed:
        if now >= abort_at:
            return Plan((AbortRound(located, missing[0]),))
        return Plan((), tuple(missing), abort_at)
    # The oldest one can be finished first; ties are broken by id so that all agree.
    chosen = agreed[0]
    ready_at = chosen.value.proposed_at + params.challenge_s
    if now >= ready_at:
        return Plan((Finalize(located, chosen),))
    return Plan(
        (), (f"challenge time of commit {chosen.value.commit_id.short}",), ready_at
    )


def _alive(
    view: BranchView, live: RoundView
) -> tuple[Located[MergeCandidateAccount], ...]:
    """Candidates that were verified and can still be merged, oldest first.

    On a protected branch a change of the owner takes all candidates with it.
    """
    guarded, epoch = view.branch.value.protected, view.authority_epoch
    valid = (
        c
        for c in live.candidates
        if c.value.commit_id in live.valid_candidates
        and not (guarded and c.value.authority_epoch != epoch)
    )
    return tuple(sorted(valid, key=lambda c: (c.value.proposed_at, c.value.commit_id)))


def _why_blocked(
    live: RoundView, rights: Rights, *, has_candidate: bool
) -> tuple[str, ...]:
    """Why the closed round cannot be merged by us, or nothing."""
    counted = _counted(live)
    if len(counted) < live.params.min_updates:
        return (f"{len(counted)} of {live.params.min_updates} updates are left",)
    try:
        choice = choice_of(live.params)
        choice.strategy.require(len(counted), choice.params)
    except (TooFewUpdates, ObjectInvalid) as exc:
        return (str(exc),)
    faults = tuple(
        f"update of {u.value.contributor}: {fault.text}"
        for u in counted
        if (fault := live.faults.get(u.value.contributor)) is not None
    )
    if faults:
        return faults
    if not rights.may_propose and not has_candidate:
        return ("our wallet may not propose merges here, and nobody else has",)
    return ()
