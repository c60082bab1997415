"""What each update of a round does, before it counts: for the owner who looks at them.

Nothing is sent and nothing is decided here; see `update` for rejecting.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from flair_client.chain.accounts import RoundState
from flair_client.context import Context
from flair_client.encoding import decode_delta
from flair_client.errors import (
    AccountMissing,
    ObjectInvalid,
    RefUnknown,
    TooFewUpdates,
    VerificationError,
)
from flair_client.history.checked import terms_of
from flair_client.history.compare_updates import TensorChange, compare_updates
from flair_client.history.copies import copies, values_of
from flair_client.history.evidence import gather_evidence
from flair_client.history.records import RepoHistory, RoundPhase, UpdateRecord
from flair_client.history.verify_merge import merged_updates, recompute
from flair_client.history.verify_update import RoundTerms, read_commit, verify_update
from flair_client.history.verify_weights import naming
from flair_client.ids import Address, CommitId
from flair_client.objects import Commit, Delta, Manifest
from flair_client.porcelain.checkout import blocks_of, manifest_of, recipe_at
from flair_client.porcelain.evaluate import with_all_of
from flair_client.porcelain.scoring import Score, Scorer
from flair_client.porcelain.target import RoundTarget, find_repo
from flair_client.porcelain.update import UpdateRow, show_update
from flair_client.repo_address import RepoAddress
from flair_client.store.base import Store
from flair_client.store.overlay import scratch_over
from flair_client.workspace import Workspace

_ACCEPTED: Final = "accepted"
_MIN_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Past:
    """What became of a contributor's updates to this repository so far.

    Attributes:
        rounds: in which an update of it was pushed and not withdrawn, this one too.
        merged: of these, that were merged with it.
        rejected: of these, in which the owner rejected it.
    """

    rounds: int
    merged: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReview(UpdateRow):
    """One update as the chain has it, and what it would do.

    Attributes:
        is_accepted: whether somebody looked at it on this machine and said so.
        fault: why it cannot be merged; None where nothing was found. Without a
            comparison only what the small objects say was looked at.
        copy_of: the update pushed before it whose values are the very same; None where
            it is nobody's copy.
        samples: bucket that it states; None where it states none.
        metrics: that it states.
        l2: its length, in units of the weights; None where it cannot be read.
        norm_share: of the policy's bound, 0 to 1.
        cosine: to the sum of the other updates that count; None where it was not
            compared, or there are no others.
        tensors: that it changes most, the largest change first.
        past: of the contributor.
        alone: score of the head with all of it and nothing else.
        without: score of the merge of all that count but it.
    """

    is_accepted: bool
    fault: str | None
    copy_of: CommitId | None = None
    samples: int | None
    metrics: dict[str, float] = field(default_factory=dict)
    l2: float | None
    norm_share: float | None
    cosine: float | None = None
    tensors: tuple[TensorChange, ...] = ()
    past: Past
    alone: Score | None = None
    without: Score | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """The updates of a round.

    Attributes:
        state: of the round's account.
        updates: in the order in which they are summed.
        norm_bound: that an update may have, in units of the weights.
        head: score of the round's base.
        merged: score of the merge of all updates that count.
        data: name of the data source, or its file; None without scores.
    """

    repo: RepoAddress
    branch: str
    round_index: int
    state: RoundState
    updates: tuple[UpdateReview, ...]
    norm_bound: float
    head: Score | None = None
    merged: Score | None = None
    data: str | None = None


def review_updates(
    ctx: Context,
    repo: RepoAddress,
    branch: str,
    *,
    index: int | None = None,
    only: str | None = None,
    compare: bool = False,
    scorer: Scorer | None = None,
    workspace: Workspace | None = None,
) -> Review:
    """Looks at the updates of a round.

    Args:
        ctx: the chain is read; nothing is signed.
        repo: the repository.
        branch: its name.
        index: of the round; without one the live or the last one.
        only: a contributor's address or six digits of an update's id; all without it.
        compare: reads and checks every value of every update.
        scorer: measures on the owner's own rows; implies `compare`. Its workspace is
            locked by the caller.
        workspace: where accepting was noted, and blocks lie already.

    Raises:
        AccountMissing: there is no such round (any more).
        RefUnknown: there is no such update.
        VerificationError: accounts or events of the repository are wrong.
        DataError, TrustRequired: as `flair evaluate`.
    """
    target = find_repo(ctx, repo).branch(branch).round(index)
    behind = ctx.remote if workspace is None else blocks_of(ctx, workspace)
    with scratch_over(behind) as store:
        looked = _Look(ctx, store, target)
        rows = [show_update(one) for one in ctx.chain.updates(target.address)]
        chosen = rows if only is None else [find_update(rows, only)]
        accepted = set() if workspace is None else accepted_updates(workspace)
        if compare or scorer is not None:
            looked.read_all(row.contributor for row in rows)
        else:
            # All of them: one may be a copy of another.
            looked.glance(row.contributor for row in rows)
        found = tuple(
            looked.review(row, row.commit_id in accepted, scorer) for row in chosen
        )
        shown = Review(
            repo,
            branch,
            target.account.round_index,
            target.account.state,
            found,
            looked.norm_bound,
        )
        if scorer is None:
            return shown
        return replace(
            shown,
            head=looked.head_score(scorer),
            merged=looked.merged_score(scorer, None),
            data=scorer.source.label,
        )


def find_update(rows: Sequence[UpdateRow], text: str) -> UpdateRow:
    """Gives the update that a contributor's address or digits of its id name.

    Raises:
        RefUnknown: none or several do.
    """
    by_contributor = [row for row in rows if str(row.contributor) == text]
    by_id = [row for row in rows if str(row.commit_id).startswith(text)]
    found = by_contributor or (by_id if len(text) >= _MIN_DIGITS else [])
    if len(found) != 1:
        how_many = "no update" if not found else f"{len(found)} updates"
        raise RefUnknown(f"{how_many} of the round is meant by {text!r}")
    return found[0]


def accept_update(workspace: Workspace, row: UpdateRow) -> None:
    """Notes on this machine that an update was looked at; the caller holds the lock."""
    kept = accepted_updates(workspace) | {row.commit_id}
    workspace.set_marker(_ACCEPTED, {"commits": sorted(map(str, kept))})


def accepted_updates(workspace: Workspace) -> set[CommitId]:
    """Gives the updates that were looked at and accepted on this machine."""
    table = workspace.marker(_ACCEPTED) or {}
    return {CommitId.parse(str(text)) for text in table.get("commits", [])}


def past_of(history: RepoHistory, contributor: Address) -> Past:
    """Counts what became of a contributor's updates, on any branch."""
    rounds = [one for one in history.rounds.values() if contributor in one.updates]
    rejected = [one for one in rounds if one.updates[contributor].reject_reason]
    merged = [
        one
        for one in rounds
        if one.phase is RoundPhase.MERGED and not one.updates[contributor].reject_reason
    ]
    return Past(len(rounds), len(merged), len(rejected))


@dataclass(slots=True)
class _Sound:
    """An update that could be read."""

    record: UpdateRecord
    commit: Commit
    delta: Delta
    cosine: float | None = None
    tensors: tuple[TensorChange, ...] = ()


def _fields(row: UpdateRow) -> dict[str, Any]:
    return {one.name: getattr(row, one.name) for one in fields(row)}


class _Look:
    """One round while it is looked at."""

    def __init__(self, ctx: Context, store: Store, target: RoundTarget) -> None:
        branch = target.branch
        self._ctx = ctx
        self._store = store
        self._history = gather_evidence(
            ctx.chain,
            store,
            branch.repo.address,
            branch.account.name,
            genesis_hash=ctx.network.genesis_hash,
            progress=ctx.progress,
        ).evidence.history
        key = (branch.address, target.account.round_index)
        record = self._history.rounds.get(key)
        if record is None:
            raise AccountMissing(
                target.address, "round", "of this number in the events"
            )
        self._record = record
        self._terms: RoundTerms = terms_of(self._history, record)
        self._base: Manifest = manifest_of(store, record.base_commit)
        self._sound: dict[Address, _Sound] = {}
        self._faults: dict[Address, str] = {}
        self._scores: dict[Address | None, Score | None] = {}
        self._head_score: Score | None = None

    @property
    def norm_bound(self) -> float:
        """In units of the weights."""
        params = self._terms.params
        return math.sqrt(params.norm_bound_sq) * 2.0**params.scale_exp

    def glance(self, contributors: Iterable[Address]) -> None:
        """Reads the small objects of updates: commit and delta without its values."""
        for who in contributors:
            record = self._record.updates.get(who)
            if record is None:
                continue
            try:
                with naming(f"update {record.commit_id.short}"):
                    commit = read_commit(self._store, record.commit_id)
                    if commit.delta is None:
                        raise ObjectInvalid("commit.delta", "an update carries none")
                    delta = decode_delta(self._store.get(commit.delta))
                self._sound[who] = _Sound(record, commit, delta)
            except VerificationError as exc:
                self._faults[who] = exc.reason

    def read_all(self, contributors: Iterable[Address]) -> None:
        """Checks every update as whoever merges it would, and compares them."""
        for who in contributors:
            record = self._record.updates.get(who)
            if record is None:
                continue
            try:
                commit, delta = verify_update(
                    self._store, self._terms, record, self._base
                )
                self._sound[who] = _Sound(record, commit, delta)
            except VerificationError as exc:
                self._faults[who] = exc.reason
        listed = list(self._sound.values())
        compared = compare_updates(
            self._store,
            self._base,
            [
                (0 if one.record.reject_reason else one.record.weight, one.delta)
                for one in listed
            ],
            self._ctx.progress,
        )
        for one, figures in zip(listed, compared, strict=True):
            one.cosine, one.tensors = figures.cosine, figures.tensors

    def review(
        self, row: UpdateRow, is_accepted: bool, scorer: Scorer | None
    ) -> UpdateReview:
        """Puts together what is known of an update."""
        sound = self._sound.get(row.contributor)
        past = past_of(self._history, row.contributor)
        if sound is None:
            fault = self._faults.get(row.contributor, "no event tells of it")
            return UpdateReview(
                **_fields(row),
                is_accepted=is_accepted,
                fault=fault,
                samples=None,
                l2=None,
                norm_share=None,
                past=past,
            )
        training = sound.commit.training
        params, delta = self._terms.params, sound.delta
        return UpdateReview(
            **_fields(row),
            is_accepted=is_accepted,
            fault=None,
            copy_of=self._copy_of(row.contributor),
            samples=None if training is None else training.samples_bucket,
            metrics=dict(sound.commit.metrics or {}),
            l2=math.sqrt(delta.norm_sq) * 2.0**delta.scale_exp,
            norm_share=math.sqrt(delta.norm_sq / params.norm_bound_sq),
            cosine=sound.cosine,
            tensors=sound.tensors,
            past=past,
            alone=None if scorer is None else self._alone(scorer, delta),
            without=self._without(scorer, row),
        )

    def _copy_of(self, contributor: Address) -> CommitId | None:
        pushed = (one for one in self._record.updates if one in self._sound)
        found = copies((who, values_of(self._sound[who].delta)) for who in pushed)
        origin = found.get(contributor)
        return None if origin is None else self._record.updates[origin].commit_id

    def head_score(self, scorer: Scorer) -> Score:
        """Of the round's base."""
        if self._head_score is None:
            self._head_score = self._score(scorer, self._base)
        return self._head_score

    def merged_score(self, scorer: Scorer, left_out: Address | None) -> Score | None:
        """Of the merge of all updates that count, or of all but one."""
        if left_out not in self._scores:
            chosen = [
                self._sound[one.contributor]
                for one in merged_updates(self._record)
                if one.contributor in self._sound and one.contributor != left_out
            ]
            self._scores[left_out] = self._merged(scorer, chosen)
        return self._scores[left_out]

    def _merged(self, scorer: Scorer, chosen: Sequence[_Sound]) -> Score | None:
        if not chosen:
            return self.head_score(scorer)
        head = read_commit(self._store, self._record.base_commit)
        try:
            made = recompute(
                self._store,
                self._store,
                self._terms,
                self._base,
                head,
                [one.record for one in chosen],
                [one.delta for one in chosen],
            )
        except TooFewUpdates:
            # The strategy does not merge so few; there is no such model.
            return None
        return self._score(scorer, made.weights)

    def _alone(self, scorer: Scorer, delta: Delta) -> Score:
        return self._score(scorer, with_all_of(self._store, self._base, delta))

    def _without(self, scorer: Scorer | None, row: UpdateRow) -> Score | None:
        if scorer is None or row.reject_reason is not None:
            return None
        return self.merged_score(scorer, row.contributor)

    def _score(self, scorer: Scorer, manifest: Manifest) -> Score:
        base = self._record.base_commit
        recipe = recipe_at(self._store, base)
        return scorer.score(self._store, manifest, recipe, base)
