"""Rounds made again without some updates: the state that a line would have.

Every merge is made again from the updates that remain, by its own policy. Weights come
from roots, snapshots and merges of models as they are, and from there by merges and
reverts. It says what the same updates would have added up to, not what others would
have trained then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flair_client.encoding import decode_delta
from flair_client.errors import (
    NotSeparable,
    ObjectInvalid,
    TooFewUpdates,
    VerificationError,
)
from flair_client.history.checked import Evidence, terms_of
from flair_client.history.in_force import moves_in_force
from flair_client.history.merge import merge_weights
from flair_client.history.merge_state import state_before
from flair_client.history.records import MoveRecord, RoundRecord, UpdateRecord
from flair_client.history.revert import require_separable, revert_contributor
from flair_client.history.revert import revert_merge as take_back
from flair_client.history.verify_merge import merged_updates
from flair_client.history.verify_update import read_commit
from flair_client.history.verify_weights import read_manifest
from flair_client.ids import Address, CommitId
from flair_client.objects import Commit, CommitKind, Delta, Manifest, Revert, RevertKind
from flair_client.store.base import Store
from flair_client.strategies import Strategy, choice_of, lambda_for


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A contributor whose updates do not count, in some merges.

    Attributes:
        since: number of the event of the first such merge.
        until: of the event from which on updates count again; None for never.
    """

    contributor: Address
    since: int = 0
    until: int | None = None

    def covers(self, merge: MoveRecord, contributor: Address) -> bool:
        """Whether an update of somebody does not count in a merge."""
        ends = self.until is not None and merge.event_seq >= self.until
        is_within = self.since <= merge.event_seq and not ends
        return is_within and contributor == self.contributor


def replays_before(evidence: Evidence, event_seq: int) -> list[LeftOut]:
    """What valid replays before an event left out; they hold for what came after."""
    found = []
    merges = {}
    for move in moves_in_force(evidence, event_seq):
        if move.round is not None:
            merges[move.new_head] = move
        elif move.kind is CommitKind.REVERT:
            reverts = read_commit(evidence.store, move.new_head).reverts
            merge = None if reverts is None else merges.get(reverts.commit)
            if reverts is not None and reverts.kind is RevertKind.REPLAY and merge:
                found.append(left_out_by(merge, reverts, move.event_seq))
    return found


def left_out_by(merge: MoveRecord, reverts: Revert, event_seq: int) -> LeftOut:
    """What a replay leaves out.

    Args:
        merge: the first one that is made again.
        reverts: names it, and the contributor's update in it.
        event_seq: of the replay itself.

    Raises:
        VerificationError: the update is not in the merge.
    """
    accepted = () if merge.round is None else merge.round.accepted()
    for update in accepted:
        if update.commit_id == reverts.update:
            return LeftOut(update.contributor, merge.event_seq, event_seq)
    reason = "its update that is left out is not in it"
    raise VerificationError(f"merge {merge.new_head.short}", reason)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A line without a contributor, from one merge on.

    Attributes:
        manifest: of the state at its end; its blocks are in the store that was given.
        left_out: the contributor's updates, oldest first.
        n_merges: merges that were made again.
    """

    manifest: Manifest
    left_out: tuple[CommitId, ...]
    n_merges: int


def replay_revert(
    evidence: Evidence,
    merge: MoveRecord,
    reverts: Revert,
    event_seq: int,
    store: Store,
) -> Replayed:
    """Makes a merge and all after it again without one contributor.

    Whatever the strategy is: what it keeps is made again as well. Replays of before
    stay in force.

    Args:
        evidence: of the branch, every move before the event judged.
        merge: the first merge that is made again.
        reverts: names it, and the contributor's update in it.
        event_seq: number of the event that moves the replay in.
        store: where the blocks lie; takes the new ones.

    Raises:
        NotSeparable: a merge's strategy needs more updates than remain, or weights
            came from elsewhere after the merge.
        VerificationError: the update is not in the merge.
        ObjectError, BlockMissing, DigestMismatch: something cannot be read or added up.
    """
    mine = left_out_by(merge, reverts, event_seq)
    replay = Replay(evidence, [*replays_before(evidence, event_seq), mine], store)
    last, n_merges = merge.old_head, 0
    for move in moves_in_force(evidence, event_seq):
        try:
            replay.add(move)
        except TooFewUpdates as exc:
            name = f"merge {move.new_head.short}"
            raise NotSeparable(
                f"{name} cannot be made again without it: {exc}"
            ) from exc
        last = move.new_head
        n_merges += move.round is not None and move.event_seq >= merge.event_seq
    foreign = [one for one in replay.given if one.event_seq > merge.event_seq]
    if foreign:
        name = f"{foreign[-1].kind.value} {foreign[-1].new_head.short}"
        raise NotSeparable(f"{name} brought weights of its own after that merge")
    state = replay.state(last)
    if state is None:
        raise VerificationError(f"commit {last.short}", "is not in this line")
    return Replayed(state, tuple(replay.left_out), n_merges)


class Replay:
    """States by commit, as they would be."""

    def __init__(
        self, evidence: Evidence, left_out: Sequence[LeftOut], store: Store
    ) -> None:
        """Without these contributors; `store` takes the new blocks.

        Merges before the first that is made again stand as they are: their moves may be
        added or not.
        """
        self._evidence = evidence
        self._left_out = left_out
        self._store = store
        self._start = min((one.since for one in left_out), default=0)
        self._merges: dict[CommitId, MoveRecord] = {}
        self._last: Manifest | None = None
        self._kept: Manifest | None = None
        self._kept_by = ""
        self._states: dict[CommitId, Manifest] = {}
        self.left_out: list[CommitId] = []
        # Commits that brought weights of their own, the newest last.
        self.given: list[MoveRecord] = []

    def add(self, move: MoveRecord) -> None:
        """Makes the state after one more valid move.

        Raises:
            TooFewUpdates: a merge's strategy needs more updates than remain.
            NotSeparable: one contributor's term was taken out of a merge that has none.
            VerificationError: commits and events do not agree.
        """
        if move.round is not None:
            self._merges[move.new_head] = move
        if move.event_seq < self._start:
            return
        if move.round is not None:
            self._last = self._merge(move, move.round)
        else:
            self._kept = None
            self._last = self._other(move)
        self._states[move.new_head] = self._last

    def state(self, commit_id: CommitId) -> Manifest | None:
        """The state of a commit; None where it was made on what is not in this line."""
        made = self._states.get(commit_id)
        if made is not None or not self._is_before(commit_id):
            return made
        weights = read_commit(self._store, commit_id).weights
        return None if weights is None else read_manifest(self._store, weights)

    def _is_before(self, commit_id: CommitId) -> bool:
        return any(
            move.new_head == commit_id and move.event_seq < self._start
            for move in self._evidence.moves
        )

    def _other(self, move: MoveRecord) -> Manifest:
        commit = read_commit(self._store, move.new_head)
        if commit.reverts and commit.reverts.kind is RevertKind.SINCE:
            return self._made(commit.reverts.commit)
        if commit.reverts is None or self._last is None:
            return self._given(move, commit)
        if commit.reverts.commit in self._merges:
            return self._revert(move, commit.reverts)
        # What it leaves behind was not valid and never counted.
        return self._last

    def _given(self, move: MoveRecord, commit: Commit) -> Manifest:
        """A root or a snapshot brings its weights along."""
        if commit.weights is None:
            raise VerificationError(f"commit {move.new_head.short}", "has no weights")
        self.given.append(move)
        return read_manifest(self._store, commit.weights)

    def _merge(self, move: MoveRecord, record: RoundRecord) -> Manifest:
        base = self._before(move)
        choice = choice_of(terms_of(self._evidence.history, record).params)
        rest = []
        for update in merged_updates(record):
            if self._is_left_out(move, update):
                self.left_out.append(update.commit_id)
            else:
                rest.append((update.weight, self._delta(update.commit_id)))
        if not rest:
            return base
        kept = self._state_for(move, choice.strategy)
        made = merge_weights(self._store, base, rest, choice, self._store, state=kept)
        self._kept, self._kept_by = made.state, choice.strategy.id
        return made.weights

    def _state_for(self, move: MoveRecord, strategy: Strategy) -> Manifest | None:
        """What the strategy kept of the merge before."""
        if move.old_head not in self._states and self._is_before(move.old_head):
            head = read_commit(self._store, move.old_head)
            return state_before(self._store, head, strategy)
        return self._kept if self._kept_by == strategy.id else None

    def _revert(self, move: MoveRecord, reverts: Revert) -> Manifest:
        merge = self._merges[reverts.commit]
        head = self._before(move)
        if reverts.kind is RevertKind.REPLAY:
            # Its updates count nowhere in this line.
            return head
        record = merge.round
        if record is None:
            raise VerificationError(f"commit {merge.new_head.short}", "is no merge")
        params = terms_of(self._evidence.history, record).params
        if reverts.kind is RevertKind.MERGE:
            before, after = self._before(merge), self._made(merge.new_head)
            return take_back(
                self._store, head, before, after, params.scale_exp, self._store
            )
        require_separable(choice_of(params).strategy)
        others = self._remaining(merge, record.accepted())
        term = next((one for one in others if one.commit_id == reverts.update), None)
        if term is None:
            # It was left out already: there is nothing to take back.
            return head
        return revert_contributor(
            self._store,
            head,
            term.weight,
            self._delta(term.commit_id),
            lambda_for(params.eta_q24, sum(one.weight for one in others)),
            params.scale_exp,
            self._store,
        )

    def _remaining(
        self, merge: MoveRecord, updates: Iterable[UpdateRecord]
    ) -> list[UpdateRecord]:
        return [one for one in updates if not self._is_left_out(merge, one)]

    def _is_left_out(self, merge: MoveRecord, update: UpdateRecord) -> bool:
        return any(one.covers(merge, update.contributor) for one in self._left_out)

    def _before(self, move: MoveRecord) -> Manifest:
        return self._made(move.old_head, f"commit {move.new_head.short}")

    def _made(self, commit_id: CommitId, where: str = "") -> Manifest:
        found = self.state(commit_id)
        if found is None:
            reason = "what it was made on is not in this line"
            raise VerificationError(where or f"commit {commit_id.short}", reason)
        return found

    def _delta(self, update: CommitId) -> Delta:
        commit = read_commit(self._store, update)
        if commit.delta is None:
            raise ObjectInvalid(f"update {update.short}", "carries no delta")
        return decode_delta(self._store.get(commit.delta))
