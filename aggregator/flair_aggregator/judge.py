"""Fills a view of the live round in with what verification says. Keeps verdicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from flair_aggregator.follow import Standing
from flair_aggregator.gates import copy_texts, low_scores, norm_outliers
from flair_aggregator.held_out import HeldOut
from flair_aggregator.round import BranchView, Fault, Located, RoundView
from flair_aggregator.verify import (
    CandidateVerdict,
    examine_candidate,
    examine_update,
)
from flair_client.chain.accounts import (
    MergeCandidateAccount,
    RoundState,
    UpdateAccount,
    UpdateStatus,
)
from flair_client.history.checked import CheckedCommit, terms_of
from flair_client.history.copies import copies, values_of
from flair_client.history.records import RoundRecord
from flair_client.ids import Address, CommitId, Digest
from flair_client.objects import Delta
from flair_client.porcelain.update import RejectReason
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True)
class Judgement:
    """The view with verdicts, and what people should hear.

    Attributes:
        is_open: some verdict may still change without any event: blocks may come.
        remarks: sentences about candidates that do not check, and outliers.
    """

    view: BranchView
    is_open: bool = False
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sound:
    """What gates go by: squared norm, score on held-out rows, digests of values."""

    norm_sq: int
    score: float | None
    values: tuple[bytes, ...]


@dataclass(slots=True)
class Judge:
    """Verdicts about one round at a time; a new round begins with none.

    Attributes:
        held_out: scores updates, where the owner gave rows to do so.
        reject_flagged: an update that a gate flags is a fault.
    """

    store: Store
    held_out: HeldOut | None = None
    reject_flagged: bool = False
    _round: Address | None = None
    _updates: dict[tuple[Address, CommitId, Digest], _Sound | Fault] = field(
        default_factory=dict
    )
    _candidates: dict[CommitId, CandidateVerdict] = field(default_factory=dict)

    def forget(self) -> None:
        """Drops all verdicts: the store has changed under them."""
        self._round = None

    def judge(
        self,
        view: BranchView,
        standing: Standing,
        is_ours: Callable[[RoundView, CommitId], bool],
    ) -> Judgement:
        """Verifies what was not verified yet.

        Args:
            view: of the branch, as read.
            standing: whose head is the live round's base.
            is_ours: whether we made this merge commit of this round.
        """
        live, head = view.live, standing.head
        if live is None or head is None:
            return Judgement(view)
        if live.round.address != self._round:
            self._round = live.round.address
            self._updates.clear()
            self._candidates.clear()
        history = standing.evidence.history
        record = history.branches[view.branch.address].live_round
        if record is None:
            return Judgement(view)
        sound, faults = self._judge_updates(live, standing, record, head)
        # As they were pushed: a copy comes after what it copies.
        sound = {who: sound[who] for who in record.updates if who in sound}
        flagged = self._flagged(sound, head) if _is_closed(live) else {}
        remarks = [f"update of {who}: {one.text}" for who, one in flagged.items()]
        if self.reject_flagged:
            faults |= flagged
        valid = set()
        # While the round is open contributors may still push, or reveal later.
        is_open = _is_closed(live) and any(not one.is_final for one in faults.values())
        for candidate in live.candidates if _is_summed(live) else ():
            commit_id = candidate.value.commit_id
            if is_ours(live, commit_id):
                valid.add(commit_id)
                continue
            verdict = self._judge_candidate(standing, record, head, candidate)
            if verdict.reason is None:
                valid.add(commit_id)
            else:
                remarks.append(f"candidate does not check: {verdict.reason}")
                is_open = is_open or not verdict.is_final
        judged = replace(live, faults=faults, valid_candidates=frozenset(valid))
        return Judgement(replace(view, live=judged), is_open, tuple(remarks))

    def _judge_updates(
        self,
        live: RoundView,
        standing: Standing,
        record: RoundRecord,
        head: CheckedCommit,
    ) -> tuple[dict[Address, _Sound], dict[Address, Fault]]:
        """Gives what is known of sound updates, and what is wrong with the others."""
        terms = terms_of(standing.evidence.history, record)
        sound: dict[Address, _Sound] = {}
        faults: dict[Address, Fault] = {}
        for update in live.updates:
            if update.value.status is UpdateStatus.REJECTED:
                continue
            value: UpdateAccount = update.value
            key = (value.contributor, value.commit_id, value.payload_digest)
            verdict = self._updates.get(key)
            if verdict is None:
                found = examine_update(self.store, terms, value, head.manifest)
                verdict = (
                    found if isinstance(found, Fault) else self._measure(head, found[1])
                )
                if not isinstance(verdict, Fault) or verdict.is_final:
                    self._updates[key] = verdict
            if isinstance(verdict, Fault):
                faults[value.contributor] = verdict
            else:
                sound[value.contributor] = verdict
        return sound, faults

    def _measure(self, head: CheckedCommit, delta: Delta) -> _Sound:
        score = self.held_out.score(head, delta) if self.held_out else None
        return _Sound(delta.norm_sq, score, values_of(delta))

    def _flagged(
        self, sound: dict[Address, _Sound], head: CheckedCommit
    ) -> dict[Address, Fault]:
        """What gates remark of updates in the order in which they were pushed.

        Of several remarks the score goes before the copy, and both before the norm.
        """
        norms = {who: one.norm_sq for who, one in sound.items()}
        found = _faults(RejectReason.OUTLIER, norm_outliers(norms))
        copied = copies((who, one.values) for who, one in sound.items())
        found |= _faults(RejectReason.COPY, copy_texts(copied))
        base = self.held_out.score(head) if self.held_out else None
        if base is not None:
            scores = {
                who: one.score for who, one in sound.items() if one.score is not None
            }
            found |= _faults(RejectReason.SCORE, low_scores(base, scores))
        return found

    def _judge_candidate(
        self,
        standing: Standing,
        record: RoundRecord,
        head: CheckedCommit,
        candidate: Located[MergeCandidateAccount],
    ) -> CandidateVerdict:
        commit_id = candidate.value.commit_id
        verdict = self._candidates.get(commit_id)
        if verdict is None:
            verdict = examine_candidate(
                standing.evidence, record, head, candidate.value
            )
            if verdict.is_final:
                self._candidates[commit_id] = verdict
        return verdict


def _faults(reason: RejectReason, texts: Mapping[Address, str]) -> dict[Address, Fault]:
    return {who: Fault(int(reason), text) for who, text in texts.items()}


def _is_closed(live: RoundView) -> bool:
    return live.round.value.state is RoundState.CLOSED


def _is_summed(live: RoundView) -> bool:
    """Whether the chain has added every accepted update up."""
    value = live.round.value
    return _is_closed(live) and value.n_accumulated == value.n_accepted > 0
