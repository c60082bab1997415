"""One branch: looks, plans, and carries steps out until nothing more can be done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from flair_aggregator.budget import Budget, most_cost
from flair_aggregator.follow import Standing
from flair_aggregator.held_out import HeldOut
from flair_aggregator.judge import Judge
from flair_aggregator.merge import make_merge
from flair_aggregator.outbox import RoundName
from flair_aggregator.pending import check_complete
from flair_aggregator.rights import (
    Ending,
    ProposeRight,
    propose_right,
    rights_of,
    role_ending,
)
from flair_aggregator.round import (
    BranchView,
    ExpireAttestation,
    ExpireCandidate,
    ExpireUpdate,
    Plan,
    Propose,
    RoundView,
    SettleUpdate,
    Step,
    plan,
)
from flair_aggregator.sending import (
    Place,
    Proposal,
    StepText,
    build,
    build_proposal,
    describe,
    describe_group,
)
from flair_aggregator.settings import ACCUMULATE_BATCH, CLOSING_BATCH
from flair_aggregator.votes import void_candidates
from flair_aggregator.world import StepDone, World
from flair_client.chain.instructions import Instruction
from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    FlairError,
    ProgramRefused,
    VerificationError,
)
from flair_client.history.evidence import RepoEvidence
from flair_client.ids import CommitId

_CLOSING: Final = (SettleUpdate, ExpireUpdate, ExpireCandidate, ExpireAttestation)
# Others act too: after so many looks that were out of date the next tick goes on.
_LOOKS: Final = 5
_DONE: Final = "done"
_ALREADY_DONE: Final = "already done"
_TOO_DEAR: Final = "too dear today"


@dataclass(frozen=True, slots=True)
class _Look:
    """The branch at one moment, verified and planned.

    Attributes:
        again_s: look again after so many seconds even if no event comes.
    """

    view: BranchView
    standing: Standing
    proposing: ProposeRight | None
    plan: Plan
    again_s: float | None
    ending: Ending | None = None


@dataclass(slots=True)
class BranchWorker:
    """Works on one branch."""

    world: World
    branch: str
    _judge: Judge = field(init=False)
    _held: dict[tuple[str, str], float] = field(default_factory=dict)
    _seen_seq: int = -1
    _wake_at_s: float | None = None

    def __post_init__(self) -> None:
        world = self.world
        store, options = world.ctx.remote, world.options
        held_out = None
        if options.held_out is not None:
            held_out = HeldOut(store, options.held_out, options.held_out_map)
        self._judge = Judge(store, held_out, options.reject_flagged)

    def is_due(self, event_seq: int) -> bool:
        """Whether anything can have changed since the last look."""
        if event_seq != self._seen_seq:
            return True
        return self._wake_at_s is not None and self.world.now_s() >= self._wake_at_s

    def tick(self, evidence: RepoEvidence) -> None:
        """Does everything that can be done now.

        Args:
            evidence: read just now.

        Raises:
            ChainError, StoreError, VerificationError: something failed; nothing is lost
                and the next tick goes on.
        """
        looks = 0
        try:
            while not self.world.should_stop():
                look = self._look(evidence)
                if look is None:
                    looks += 1
                    if looks == _LOOKS:
                        return
                else:
                    looks = 0
                    steps = self._next(look)
                    if not steps:
                        self._rest(evidence, look)
                        return
                    if not self._perform(look, steps):
                        self._rest(evidence, look, self.world.budget)
                        return
                evidence = self.world.follower.read()
        except Exception as exc:
            self._seen_seq = -1
            if isinstance(exc, VerificationError | BlockMissing | DigestMismatch):
                # A block went after it was looked at.
                self._judge.forget()
            raise

    def _look(self, evidence: RepoEvidence) -> _Look | None:
        """Gives the branch as it stands, or nothing where it moved meanwhile."""
        world, ctx = self.world, self.world.ctx
        standing = world.follower.standing(evidence, self.branch)
        if standing.fault is not None:
            return self._invalid(standing)
        view = world.pending.read(world.repo, self.branch)
        history = evidence.history
        if ctx.chain.repo(world.repo).event_seq != history.event_seq:
            return None
        check_complete(view)
        judged = self._judge.judge(view, standing, self._is_ours)
        self._say("candidates and outliers", "; ".join(judged.remarks))
        me = ctx.wallet.address
        proposing = propose_right(history, judged.view, me, ctx.program_id)
        planned = plan(
            judged.view,
            rights_of(history, me, view.now, proposing),
            open_rounds=world.options.open_rounds,
            batch_size=ACCUMULATE_BATCH,
        )
        again_s = 0.0 if judged.is_open else None
        ending = role_ending(history, view.branch.address, me, view.now)
        self._say("role", "" if ending is None else ending.text)
        return _Look(judged.view, standing, proposing, planned, again_s, ending)

    def _invalid(self, standing: Standing) -> _Look:
        """Nothing is built upon a head that does not check."""
        view = self.world.pending.read(self.world.repo, self.branch)
        last = "none" if standing.head is None else standing.head.commit_id.short
        wait = f"the head is invalid: {standing.fault}; the last valid one is {last}"
        return _Look(view, standing, None, Plan((), (wait,)), self.world.options.hold_s)

    def _is_ours(self, live: RoundView, commit_id: CommitId) -> bool:
        root = live.round.value.update_root.raw
        index = live.round.value.round_index
        kept = self.world.outbox.merge_commit(self._round_name(live, index), root)
        return kept == commit_id

    def _round_name(self, live: RoundView, index: int) -> RoundName:
        return RoundName(self.world.genesis_hash, live.round.value.branch, index)

    def _say(self, topic: str, sentence: str) -> None:
        self.world.say(f"{self.branch}: {topic}", sentence)

    def _next(self, look: _Look) -> tuple[Step, ...]:
        """The next steps to be made in one transaction, or nothing."""
        now_s = self.world.now_s()
        steps = [one for one in look.plan.steps if not self._is_held(one, now_s)]
        if not steps or not isinstance(steps[0], _CLOSING):
            return tuple(steps[:1])
        kind = type(steps[0])
        group = []
        for step in steps[:CLOSING_BATCH]:
            if not isinstance(step, kind) or _round_of(step) != _round_of(steps[0]):
                break
            group.append(step)
        return tuple(group)

    def _is_held(self, step: Step, now_s: float) -> bool:
        text = describe(step)
        return self._held.get((text.name, text.subject), now_s) > now_s

    def _rest(
        self, evidence: RepoEvidence, look: _Look, spent: Budget | None = None
    ) -> None:
        """Nothing can be done: says why, and remembers when to look again.

        Args:
            evidence: as read.
            look: what was found.
            spent: where the day's allowance is what keeps it from going on.
        """
        waits = look.plan.waits
        if spent is not None:
            waits = (spent.sentence(),)
        self._say("waits", "; ".join(waits))
        self.world.outbox.keep_waits(
            self.world.genesis_hash, look.view.branch.address, waits
        )
        name = f"{self.world.name}@{self.branch}"
        self.world.note_branch(name, look.view, waits)
        now_s = self.world.now_s()
        wakes = [until for until in self._held.values() if until > now_s]
        if look.again_s is not None:
            wakes.append(now_s + look.again_s)
        if spent is not None:
            wakes.append(now_s + spent.seconds_to_midnight())
        moments = (
            look.plan.wake_at,
            look.proposing and look.proposing.since,
            look.ending and look.ending.next_at,
        )
        chain_now = look.view.now
        wakes += [now_s + at - chain_now for at in moments if at and at > chain_now]
        self._wake_at_s = min(wakes, default=None)
        self._seen_seq = evidence.history.event_seq

    def _perform(self, look: _Look, steps: Sequence[Step]) -> bool:
        """Carries steps out; false where the day's allowance does not suffice."""
        group = tuple(steps)
        outcome = self._send(look, group)
        if outcome in (_DONE, _ALREADY_DONE) or len(group) == 1:
            return outcome != _TOO_DEAR
        # One of them is refused: the others need not wait for it.
        for step in group:
            if self.world.should_stop() or outcome == _TOO_DEAR:
                break
            outcome = self._send(look, (step,))
        return outcome != _TOO_DEAR

    def _send(self, look: _Look, group: tuple[Step, ...]) -> str:
        """Writes down, sends, writes down. Gives the outcome."""
        world, ctx = self.world, self.world.ctx
        note = world.budget.reserve(group)
        if note is None:
            return _TOO_DEAR
        text = describe_group(group)
        instructions, text = self._instructions(look, group, text)
        where = look.view.branch.address
        name = RoundName(world.genesis_hash, where, text.round_index)
        intent = world.outbox.begin(name, text.name, text.subject)
        try:
            result = ctx.send(instructions)
        except ProgramRefused as exc:
            # Most are refused before they cost anything; it is not known of all.
            world.budget.settle(note, most_cost(()), ())
            outcome = self._refused(look, group, text, exc)
            world.outbox.finish(intent, outcome)
            self._report(text, outcome, None)
            return outcome
        except FlairError as exc:
            # It may have been taken all the same; the chain will tell.
            world.outbox.finish(intent, f"unknown: {exc}")
            raise
        world.budget.settle(note, result.fee_lamports, group)
        world.outbox.finish(intent, _DONE, result.signature)
        self._report(text, _DONE, result.signature)
        return _DONE

    def _instructions(
        self, look: _Look, group: tuple[Step, ...], text: StepText
    ) -> tuple[list[Instruction], StepText]:
        ctx, world = self.world.ctx, self.world
        account = look.view.branch
        place = Place(
            ctx.wallet.address,
            world.repo,
            account.address,
            ctx.program_id,
            account.value,
        )
        first = group[0]
        if not isinstance(first, Propose):
            return [build(place, step) for step in group], text
        commit_id = self._merge_commit(look)
        right = look.proposing or ProposeRight()
        proposal = Proposal(first, commit_id, right.role, right.own_update)
        text = StepText(
            text.round_index,
            text.name,
            str(commit_id),
            f"proposed merge {commit_id.short}",
        )
        return [build_proposal(place, proposal)], text

    def _merge_commit(self, look: _Look) -> CommitId:
        """The round's merge commit: the one that was made before, or a new one."""
        world, store = self.world, self.world.ctx.remote
        live, head = look.view.live, look.standing.head
        if live is None or head is None:
            raise AssertionError("a merge is proposed for a live round only")
        value = live.round.value
        name = self._round_name(live, value.round_index)
        root = value.update_root.raw
        kept = world.outbox.merge_commit(name, root)
        # An owner who sold and bought back proposed this one before; its account is in
        # the way until the round is over.
        void = void_candidates(look.view)
        if kept is not None and kept not in void and store.has(kept.cid):
            return kept
        evidence = look.standing.evidence
        record = evidence.history.branches[look.view.branch.address].live_round
        if record is None:
            raise AssertionError("accounts and events were compared before")
        made = make_merge(evidence, record, head, world.ctx.wallet)
        if made in void:
            epoch = look.view.authority_epoch
            made = make_merge(
                evidence, record, head, world.ctx.wallet, owner_change=epoch
            )
        world.outbox.keep_merge_commit(name, root, made)
        return made

    def _refused(
        self,
        look: _Look,
        group: tuple[Step, ...],
        text: StepText,
        error: ProgramRefused,
    ) -> str:
        """Others may have done it meanwhile; else it is not tried again for a while."""
        world = self.world
        seen = look.standing.evidence.history.event_seq
        if world.ctx.chain.repo(world.repo).event_seq != seen:
            return _ALREADY_DONE
        if len(group) == 1:
            until_s = world.now_s() + world.options.hold_s
            self._held[text.name, describe(group[0]).subject] = until_s
        return f"refused: {error}"

    def _report(self, text: StepText, outcome: str, signature: str | None) -> None:
        done = StepDone(
            self.branch,
            text.round_index,
            text.name,
            text.subject,
            outcome,
            signature,
        )
        self.world.report(done, text.sentence)


def _round_of(step: Step) -> int:
    return describe(step).round_index
