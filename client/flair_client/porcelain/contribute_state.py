"""What an unattended contributor does next: a pure function of what is known.

Nothing is read or sent here; `contribute` does that.
"""

from dataclasses import dataclass
from enum import StrEnum

from flair_client.chain.accounts import RoundState
from flair_client.ids import CommitId


class Step(StrEnum):
    """What to do next."""

    PULL = "pull"
    TRAIN = "train"
    COMMIT = "commit"
    PUSH = "push"
    EVALUATE = "evaluate"
    SETTLE = "settle"  # write down how a round ended
    WAIT = "wait"
    STOP = "stop"  # a person has to act
    DONE = "done"  # all rounds were taken part in


@dataclass(frozen=True, slots=True)
class LiveRound:
    """The round in progress.

    Attributes:
        is_full: whether it has all the updates that it takes.
        is_late: whether its deadline has passed by the chain's clock as far as known.
        until: when it is no longer as it is, at the latest, in seconds since 1970: the
            deadline, or once it is closed the end of the time for its merge.
        mine: this contributor's update in it.
        refusal: why the owner left that update out; None where nobody did.
    """

    round_index: int
    state: RoundState
    is_full: bool = False
    is_late: bool = False
    until: int | None = None
    mine: CommitId | None = None
    refusal: str | None = None

    @property
    def takes_mine(self) -> bool:
        """Whether an update of this contributor can still get in."""
        is_open = self.state is RoundState.OPEN and not (self.is_full or self.is_late)
        return is_open and self.mine is None


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """A commit that was signed and waits for its push.

    Attributes:
        is_update: False for a snapshot or revert, which are not made unattended.
        base: that it is made on.
    """

    commit: CommitId
    is_update: bool = True
    round_index: int | None = None
    base: CommitId | None = None


@dataclass(frozen=True, slots=True)
class SentUpdate:
    """An update that was pushed, or nearly, and whose end was not written down yet."""

    commit: CommitId
    round_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What workspace and chain say.

    Attributes:
        head: where the workspace stands.
        chain_head: of the branch; None before its root.
        next_round_index: of the round in progress, or else of the next one.
        live: None where no round is in progress.
        knows_terms: whether the kept terms are those of the chain.
        distrust: why nothing may be trained or pushed; None where all was accepted.
        is_trained: whether there is an update on HEAD for the next round.
        pending: None where nothing waits for a push.
        n_held: updates on chain whose values wait here for the end of their round.
        sent: None where the end of every update is written down.
        is_evaluated: whether the model at HEAD was measured on the contributor's data.
    """

    head: CommitId
    chain_head: CommitId | None
    next_round_index: int
    live: LiveRound | None = None
    knows_terms: bool = True
    distrust: str | None = None
    is_trained: bool = False
    pending: PendingUpdate | None = None
    n_held: int = 0
    sent: SentUpdate | None = None
    is_evaluated: bool = True


@dataclass(frozen=True, slots=True)
class Aim:
    """How long to go on.

    Attributes:
        n_left: rounds that are still to be taken part in; None for no end.
        open_rounds: whether to open a round where none is in progress.
    """

    n_left: int | None = None
    open_rounds: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A step, and why it is this one.

    Attributes:
        until: how long a wait lasts at most, in seconds since 1970; None where nobody
            knows.
    """

    step: Step
    why: str = ""
    until: int | None = None


def next_step(known: Situation, aim: Aim) -> Decision:  # noqa: PLR0911 - one each
    """Decides; the most urgent comes first.

    What was begun is brought to its end before anything new: an update that may be on
    chain already, values that others wait for, the news of the branch. Nothing is
    trained, committed or pushed without trust.
    """
    decision = _about_pending(known, aim)
    if decision is not None:
        return decision
    if known.chain_head is None:
        return Decision(Step.WAIT, "the branch has no commit yet")
    live = known.live
    if known.n_held and (live is None or live.state is not RoundState.OPEN):
        return Decision(Step.PUSH, "others wait for the values of a closed round")
    if known.chain_head != known.head or not known.knows_terms:
        return Decision(Step.PULL, "head or terms have changed")
    if known.distrust is None and not known.is_evaluated:
        return Decision(Step.EVALUATE, "the model is new")
    if known.sent is not None and known.next_round_index > known.sent.round_index:
        return Decision(Step.SETTLE, f"round {known.sent.round_index} is over")
    if known.sent is None and aim.n_left is not None and aim.n_left <= 0:
        return Decision(Step.DONE, "all rounds were taken part in")
    if known.distrust is not None:
        return Decision(Step.STOP, known.distrust)
    return _about_round(known, aim)


def _about_pending(known: Situation, aim: Aim) -> Decision | None:
    """What to do about a signed commit; None where it has to be left alone for now."""
    pending = known.pending
    if pending is None:
        return None
    if not pending.is_update:
        return Decision(Step.STOP, f"commit {pending.commit.short} is not an update")
    live, index = known.live, pending.round_index
    moved_on = index != known.next_round_index or pending.base != known.chain_head
    is_there = live is not None and live.mine == pending.commit
    if moved_on or is_there:
        # A push tells what became of it, and sends nothing twice.
        return Decision(Step.PUSH, "an earlier push may have been cut off")
    may_push = aim.open_rounds if live is None else live.takes_mine
    return Decision(Step.PUSH, "the round takes updates") if may_push else None


def _about_round(known: Situation, aim: Aim) -> Decision:
    live = known.live
    if live is None:
        if not aim.open_rounds:
            return Decision(
                Step.WAIT,
                f"round {known.next_round_index} is not open yet; with --open-rounds "
                "it would be opened",
            )
    elif not live.takes_mine:
        return Decision(Step.WAIT, _why_wait(live, known.sent), live.until)
    if known.is_trained:
        return Decision(Step.COMMIT, "an update is ready")
    return Decision(Step.TRAIN, f"round {known.next_round_index} takes updates")


def _why_wait(  # noqa: PLR0911 - one sentence each
    live: LiveRound, sent: SentUpdate | None
) -> str:
    name = f"round {live.round_index}"
    if live.refusal is not None:
        return f"{name}: the owner left the update out ({live.refusal})"
    if live.mine is not None:
        if live.state is RoundState.OPEN:
            return f"{name} has the update and takes those of others"
        return f"{name} is closed and waits for its merge"
    if sent is not None and sent.round_index == live.round_index:
        return f"{name}: the update was taken back"
    if live.state is not RoundState.OPEN:
        return f"{name} was closed without this contributor"
    if live.is_full:
        return f"{name} is full"
    return f"{name} is over its deadline"
