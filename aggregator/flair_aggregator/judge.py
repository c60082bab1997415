"""Fills a view of the live round in with what verification says. Keeps verdicts."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from flair_aggregator.follow import Standing
from flair_aggregator.gates import norm_outliers
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
from flair_client.history.records import RoundRecord
from flair_client.ids import Address, CommitId, Digest
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


@dataclass(slots=True)
class Judge:
    """Verdicts about one round at a time; a new round begins with none.

    Attributes:
        reject_outliers: an update that is far longer than the others is a fault.
    """

    store: Store
    reject_outliers: bool = False
    _round: Address | None = None
    _updates: dict[tuple[Address, CommitId, Digest], int | Fault] = field(
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
        norms, faults = self._judge_updates(live, standing, record, head)
        outliers = norm_outliers(norms) if _is_closed(live) else {}
        remarks = [f"update of {who}: {text}" for who, text in outliers.items()]
        if self.reject_outliers:
            code = int(RejectReason.OUTLIER)
            faults |= {who: Fault(code, text) for who, text in outliers.items()}
        valid = set()
        is_open = any(not fault.is_final for fault in faults.values())
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
    ) -> tuple[dict[Address, int], dict[Address, Fault]]:
        """Gives squared norms of sound updates, and what is wrong with the others."""
        terms = terms_of(standing.evidence.history, record)
        norms: dict[Address, int] = {}
        faults: dict[Address, Fault] = {}
        for update in live.updates:
            if update.value.status is UpdateStatus.REJECTED:
                continue
            value: UpdateAccount = update.value
            key = (value.contributor, value.commit_id, value.payload_digest)
            verdict = self._updates.get(key)
            if verdict is None:
                found = examine_update(self.store, terms, value, head.manifest)
                verdict = found if isinstance(found, Fault) else found[1].norm_sq
                if not isinstance(verdict, Fault) or verdict.is_final:
                    self._updates[key] = verdict
            if isinstance(verdict, Fault):
                faults[value.contributor] = verdict
            else:
                norms[value.contributor] = verdict
        return norms, faults

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


def _is_closed(live: RoundView) -> bool:
    return live.round.value.state is RoundState.CLOSED


def _is_summed(live: RoundView) -> bool:
    """Whether the chain has added every accepted update up."""
    value = live.round.value
    return _is_closed(live) and value.n_accumulated == value.n_accepted > 0
