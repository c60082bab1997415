"""The weights that a branch would have if somebody had never contributed.

A replay: every merge is made again from the updates of the others. It says what the
same updates would have added up to, not what others would have trained then.
"""

from dataclasses import dataclass

from flair_client.encoding import decode_delta
from flair_client.errors import ObjectInvalid, UsageError, VerificationError
from flair_client.history.checked import Evidence, terms_of
from flair_client.history.line import judge_before
from flair_client.history.merge import merge_weights
from flair_client.history.records import MoveRecord, RoundRecord
from flair_client.history.revert import require_separable, revert_contributor
from flair_client.history.revert import revert_merge as take_back
from flair_client.history.verify_merge import merged_updates
from flair_client.history.verify_update import read_commit
from flair_client.history.verify_weights import read_manifest
from flair_client.ids import Address, CommitId
from flair_client.objects import Commit, Delta, Manifest, Revert, RevertKind
from flair_client.store.base import Store
from flair_client.strategies import choice_of, lambda_for


@dataclass(frozen=True, slots=True)
class Replayed:
    """A line without one contributor.

    Attributes:
        manifest: of the state at its end; not put into any store.
        left_out: the contributor's updates, oldest first.
    """

    manifest: Manifest
    left_out: tuple[CommitId, ...]


def replay_without(
    evidence: Evidence,
    commit_id: CommitId,
    contributor: Address,
    store: Store,
) -> Replayed:
    """Makes the state of a commit again as if somebody had never contributed.

    Weights come from the roots and snapshots, and from there by merges and reverts. A
    merge of this contributor alone drops out.

    Args:
        evidence: of the branch; its moves up to the commit count.
        commit_id: a head that the branch has or had.
        contributor: who is left out.
        store: where the blocks lie; takes the new ones.

    Raises:
        UsageError: the commit was never a head of this branch, or nothing of this
            contributor is in it.
        StoreUnavailable: no verdict about a commit could be reached.
        NotSeparable: one contributor's term was taken out of a merge that has none.
        TooFewUpdates: a merge's strategy needs more updates than remain.
        VerificationError: commits and events do not agree, or the arithmetic fails.
        BlockMissing, DigestMismatch: a block is not there or not itself.
    """
    replay = _Replay(evidence, contributor, store)
    for move in evidence.moves:
        judge_before(evidence, move.event_seq + 1)
        if move.event_seq not in evidence.judged.invalid:
            replay.add(move)
        if move.new_head == commit_id:
            if not replay.left_out:
                raise UsageError(
                    f"commit {commit_id.short} holds no update of {contributor}"
                )
            state = replay.states.get(commit_id)
            if state is None:
                raise VerificationError(f"commit {commit_id.short}", "is not valid")
            return Replayed(state, tuple(replay.left_out))
    raise UsageError(f"commit {commit_id.short} was never the head of this branch")


class _Replay:
    """States by commit, as they would be."""

    def __init__(self, evidence: Evidence, contributor: Address, store: Store) -> None:
        self._evidence = evidence
        self._contributor = contributor
        self._store = store
        self._merges: dict[CommitId, MoveRecord] = {}
        self._last: Manifest | None = None
        self._kept: Manifest | None = None
        self._kept_by = ""
        self.states: dict[CommitId, Manifest] = {}
        self.left_out: list[CommitId] = []

    def add(self, move: MoveRecord) -> None:
        """Makes the state after one more move."""
        commit = read_commit(self._store, move.new_head)
        if move.round is not None:
            self._merges[move.new_head] = move
            self.states[move.new_head] = self._last = self._merge(move, move.round)
            return
        self._kept = None
        if commit.reverts is None or self._last is None:
            made = self._given(move, commit)
        elif commit.reverts.commit in self._merges:
            made = self._revert(move, commit.reverts)
        else:
            # What it leaves behind was not valid and never counted.
            made = self._last
        self.states[move.new_head] = made
        self._last = made

    def _given(self, move: MoveRecord, commit: Commit) -> Manifest:
        """A root or a snapshot brings its weights along."""
        if commit.weights is None:
            raise VerificationError(f"commit {move.new_head.short}", "has no weights")
        return read_manifest(self._store, commit.weights)

    def _merge(self, move: MoveRecord, record: RoundRecord) -> Manifest:
        base = self._before(move)
        params = terms_of(self._evidence.history, record).params
        choice = choice_of(params)
        rest = []
        for update in merged_updates(record):
            if update.contributor == self._contributor:
                self.left_out.append(update.commit_id)
            else:
                rest.append((update.weight, self._delta(update.commit_id)))
        if not rest:
            return base
        kept = self._kept if self._kept_by == choice.strategy.id else None
        made = merge_weights(self._store, base, rest, choice, self._store, state=kept)
        self._kept, self._kept_by = made.state, choice.strategy.id
        return made.weights

    def _revert(self, move: MoveRecord, reverts: Revert) -> Manifest:
        merge = self._merges[reverts.commit]
        record = merge.round
        if record is None:
            raise VerificationError(f"commit {merge.new_head.short}", "is no merge")
        params = terms_of(self._evidence.history, record).params
        head = self._before(move)
        if reverts.kind is RevertKind.MERGE:
            return take_back(
                self._store,
                head,
                self._before(merge),
                self.states[merge.new_head],
                params.scale_exp,
                self._store,
            )
        require_separable(choice_of(params).strategy)
        others = [
            one for one in record.accepted() if one.contributor != self._contributor
        ]
        term = next((one for one in others if one.commit_id == reverts.update), None)
        if term is None:
            # It was this contributor's own: there is nothing to take back.
            return head
        weight_sum = sum(one.weight for one in others)
        return revert_contributor(
            self._store,
            head,
            term.weight,
            self._delta(term.commit_id),
            lambda_for(params.eta_q24, weight_sum),
            params.scale_exp,
            self._store,
        )

    def _before(self, move: MoveRecord) -> Manifest:
        state = self.states.get(move.old_head)
        if state is None:
            where = f"commit {move.new_head.short}"
            raise VerificationError(where, "what it was made on is not in this line")
        return state

    def _delta(self, update: CommitId) -> Delta:
        commit = read_commit(self._store, update)
        if commit.delta is None:
            raise ObjectInvalid(f"update {update.short}", "carries no delta")
        return decode_delta(self._store.get(commit.delta))
