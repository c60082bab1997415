"""Checks the commit that a move of a head put there. Walking is for `verify`."""

from dataclasses import dataclass, field
from typing import Final

from flair_client.encoding import decode_recipe
from flair_client.errors import VerificationError
from flair_client.history.events import cap_events, read_event_list
from flair_client.history.naming_store import NamingStore
from flair_client.history.records import (
    BranchRecord,
    MoveRecord,
    RepoHistory,
    RoundRecord,
)
from flair_client.history.revert import revert_contributor, revert_merge
from flair_client.history.verify_merge import round_terms, verify_merge
from flair_client.history.verify_update import (
    RoundTerms,
    read_commit,
    requiring,
    verify_update,
)
from flair_client.history.verify_weights import (
    first_difference,
    naming,
    read_manifest,
    verify_complete,
)
from flair_client.ids import Cid, CommitId
from flair_client.objects import (
    Commit,
    CommitKind,
    Manifest,
    Revert,
    RevertKind,
)
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store
from flair_client.strategies import get_strategy, lambda_for

HOW_CHECKED: Final = {
    CommitKind.ROOT: "signed by its owner, complete",
    CommitKind.SNAPSHOT: "signed by its owner, complete",
    CommitKind.MERGE: "recomputed",
    CommitKind.REVERT: "recomputed",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What commits are compared with.

    Attributes:
        history: the repository's events, replayed.
        events: their bytes, from number 1 on.
        moves: of the branch, from the very first commit on, other branches' before it
            where the branch began at a commit of another one.
        known_blocks: first reads spare later ones; filled while verifying.
    """

    history: RepoHistory
    events: list[bytes]
    moves: tuple[MoveRecord, ...]
    store: Store
    progress: Progress = NO_PROGRESS
    known_blocks: set[Cid] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class CheckedCommit:
    """A commit that was found right, or that is trusted.

    Attributes:
        recipe: the one in force from here on, its own or inherited.
        last_seq: number of the last event that its list covers.
    """

    commit_id: CommitId
    commit: Commit
    manifest: Manifest
    recipe: Cid | None
    last_seq: int


def trusted_commit(evidence: Evidence, commit_id: CommitId) -> CheckedCommit:
    """Reads a commit from which verification is to start.

    Digest, form and signature are checked, what led to it is not.

    Raises:
        VerificationError: it cannot be read.
    """
    where = f"commit {commit_id.short}"
    with naming(where):
        commit = read_commit(evidence.store, commit_id)
        if commit.weights is None or commit.events is None:
            raise VerificationError(where, f"a {commit.kind} commit is no head")
        manifest = read_manifest(evidence.store, commit.weights)
        listed = read_event_list(evidence.store, commit.events)
        last_seq = listed.first_seq + len(listed.events) - 1
        recipe = commit.recipe or _inherited_recipe(evidence, commit_id)
    return CheckedCommit(commit_id, commit, manifest, recipe, last_seq)


def verify_move(
    evidence: Evidence, move: MoveRecord, previous: CheckedCommit | None
) -> CheckedCommit:
    """Checks one move's commit against the events and the commit before it.

    Args:
        evidence: what to compare with.
        move: by the events.
        previous: the head before; None for the first commit of all.

    Raises:
        VerificationError: names the commit, update or tensor and what is wrong with it.
    """
    commit_id = move.new_head
    where = f"commit {commit_id.short}"
    branch = evidence.history.branches[move.branch]
    with naming(where):
        commit = read_commit(evidence.store, commit_id)
        check_place(evidence.history, branch, move, commit, where)
        check_parent(commit, previous, where)
        last_seq = check_event_list(evidence, commit, previous, move, where)
        recipe = _check_recipe(evidence.store, commit, previous, where)
        _check_policy(evidence.history, commit, where)
    manifest = _verified_weights(evidence, move, commit, previous)
    with naming(where):
        verify_complete(
            evidence.store,
            manifest,
            known=evidence.known_blocks,
            progress=evidence.progress,
        )
    return CheckedCommit(commit_id, commit, manifest, recipe, last_seq)


def check_place(
    history: RepoHistory,
    branch: BranchRecord,
    move: MoveRecord,
    commit: Commit,
    where: str,
) -> None:
    """Kind, repository, branch and author are what the move says."""
    must = requiring(where)
    must(
        commit.kind is move.kind, f"is a {commit.kind} commit, moved in as {move.kind}"
    )
    must(commit.repo == history.repo, f"belongs to repository {commit.repo}")
    must(commit.branch == branch.name, f"belongs to branch {commit.branch!r}")
    must(
        commit.author in move.may_sign,
        f"is signed by {commit.author}, who had no right to a {commit.kind} here",
    )


def check_parent(commit: Commit, previous: CheckedCommit | None, where: str) -> None:
    """The first parent is the head before."""
    must = requiring(where)
    if previous is None:
        must(not commit.parents, "has a parent, the branch had no head")
        return
    must(
        bool(commit.parents) and commit.parents[0] == previous.commit_id,
        f"its first parent is not the head before it, {previous.commit_id.short}",
    )


def check_event_list(
    evidence: Evidence,
    commit: Commit,
    previous: CheckedCommit | None,
    move: MoveRecord,
    where: str,
) -> int:
    """The events go on from the parent's, are the chain's, and reach far enough.

    Gives the number of the last one.
    """
    must = requiring(where)
    if commit.events is None:
        raise VerificationError(where, "carries no events")
    listed = read_event_list(evidence.store, commit.events)
    first_seq = 1 if previous is None else previous.last_seq + 1
    must(
        listed.first_seq == first_seq,
        f"its events begin with {listed.first_seq} instead of {first_seq}",
    )
    last_seq = first_seq + len(listed.events) - 1
    must(last_seq < move.event_seq, "its events go beyond its own move")
    expected = evidence.events[first_seq - 1 : last_seq]
    for seq, (ours, theirs) in enumerate(
        zip(expected, listed.events, strict=True), start=first_seq
    ):
        must(ours == theirs, f"its event {seq} is not the chain's")
    must_reach = move.round.frozen_seq if move.round is not None else first_seq
    if last_seq < must_reach:
        wanted = evidence.events[first_seq - 1 : must_reach]
        must(
            len(cap_events(wanted)) <= len(listed.events),
            f"its events end with {last_seq}, {must_reach} were due",
        )
    return last_seq


def _inherited_recipe(evidence: Evidence, commit_id: CommitId) -> Cid | None:
    """The recipe that the newest commit up to this one brought."""
    recipe = None
    for move in evidence.moves:
        commit = read_commit(evidence.store, move.new_head)
        recipe = commit.recipe or recipe
        if move.new_head == commit_id:
            break
    return recipe


def _check_recipe(
    store: Store, commit: Commit, previous: CheckedCommit | None, where: str
) -> Cid | None:
    inherited = None if previous is None else previous.recipe
    if commit.recipe is None or commit.recipe == inherited:
        return inherited
    requiring(where)(
        commit.kind in (CommitKind.ROOT, CommitKind.SNAPSHOT),
        f"changes the recipe, which a {commit.kind} may not",
    )
    recipe = decode_recipe(store.get(commit.recipe))
    for file in recipe.files:
        content = store.get(file.cid)
        requiring(where)(
            len(content) == file.size, f"recipe file {file.path!r} has another size"
        )
    return commit.recipe


def _check_policy(history: RepoHistory, commit: Commit, where: str) -> None:
    if commit.policy is not None:
        known = {policy.digest for policy in history.policies.values()}
        requiring(where)(
            commit.policy in known, "names a policy that the repository does not have"
        )


def _verified_weights(
    evidence: Evidence,
    move: MoveRecord,
    commit: Commit,
    previous: CheckedCommit | None,
) -> Manifest:
    where = f"commit {move.new_head.short}"
    if move.round is not None and previous is not None:
        return verify_merge(
            evidence.store,
            NamingStore(evidence.store),
            terms_of(evidence.history, move.round),
            move.round,
            previous.manifest,
            move.new_head,
            commit,
        )
    with naming(where):
        if commit.weights is None:
            raise VerificationError(where, "carries no weights")
        manifest = read_manifest(evidence.store, commit.weights)
        if commit.reverts is not None and previous is not None:
            expected = recompute_revert(evidence, previous, commit.reverts, move, where)
            difference = first_difference(expected, manifest)
            requiring(where)(difference is None, f"weights: {difference}")
    return manifest


def terms_of(history: RepoHistory, record: RoundRecord) -> RoundTerms:
    """What a round's updates and merge have to agree with, by the events."""
    return round_terms(
        history.repo,
        history.branches[record.branch].name,
        record,
        history.policies[record.policy_index],
    )


def recompute_revert(
    evidence: Evidence,
    previous: CheckedCommit,
    reverts: Revert,
    move: MoveRecord,
    where: str,
) -> Manifest:
    """The weights that come out of taking a merge, or one term of it, back."""
    must = requiring(where)
    merge_move = _reverted_move(evidence, reverts, move, where)
    _check_not_reverted(evidence, reverts, move, where)
    record = merge_move.round
    if record is None:
        raise VerificationError(where, "reverts a commit that is no merge")
    terms = terms_of(evidence.history, record)
    scratch = NamingStore(evidence.store)
    before = _manifest_of(evidence.store, merge_move.old_head, where)
    if reverts.kind is RevertKind.MERGE:
        after = _manifest_of(evidence.store, merge_move.new_head, where)
        return revert_merge(
            evidence.store,
            previous.manifest,
            before,
            after,
            terms.params.scale_exp,
            scratch,
        )
    update = next((u for u in record.accepted() if u.commit_id == reverts.update), None)
    if update is None:
        raise VerificationError(where, "reverts an update that is not in the merge")
    strategy = get_strategy(terms.params.strategy)
    must(strategy.linear, f"strategy {strategy.id!r} has no separable terms")
    _, delta = verify_update(evidence.store, terms, update, before)
    weight_sum = sum(one.weight for one in record.accepted())
    return revert_contributor(
        evidence.store,
        previous.manifest,
        update.weight,
        delta,
        lambda_for(terms.params.eta_q24, weight_sum),
        terms.params.scale_exp,
        scratch,
    )


def _manifest_of(store: Store, commit_id: CommitId, where: str) -> Manifest:
    commit = read_commit(store, commit_id)
    if commit.weights is None:
        raise VerificationError(where, f"{commit_id.short} carries no weights")
    return read_manifest(store, commit.weights)


def _reverted_move(
    evidence: Evidence, reverts: Revert, move: MoveRecord, where: str
) -> MoveRecord:
    for earlier in evidence.moves:
        if earlier.event_seq >= move.event_seq:
            break
        if earlier.new_head == reverts.commit:
            return earlier
    reason = f"reverts {reverts.commit.short}, which is not in its history"
    raise VerificationError(where, reason)


def _check_not_reverted(
    evidence: Evidence, reverts: Revert, move: MoveRecord, where: str
) -> None:
    """The same term is not taken back twice."""
    for earlier in evidence.moves:
        if earlier.event_seq >= move.event_seq:
            return
        if earlier.kind is not CommitKind.REVERT:
            continue
        done = read_commit(evidence.store, earlier.new_head).reverts
        if done is None or done.commit != reverts.commit:
            continue
        overlaps = RevertKind.MERGE in (done.kind, reverts.kind)
        if overlaps or done.update == reverts.update:
            reason = f"reverts what {earlier.new_head.short} has reverted already"
            raise VerificationError(where, reason)
