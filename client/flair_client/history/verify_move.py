"""Checks the commit that a move of a head put there. Walking is for `verify`."""

from collections.abc import Sequence
from typing import Final

from flair_client.encoding import decode_recipe
from flair_client.errors import NotSeparable, VerificationError
from flair_client.history.checked import CheckedCommit, Evidence, terms_of
from flair_client.history.events import cap_events, read_event_list
from flair_client.history.naming_store import NamingStore
from flair_client.history.records import BranchRecord, MoveRecord, RepoHistory
from flair_client.history.verify_merge import verify_merge
from flair_client.history.verify_models import verify_model_merge
from flair_client.history.verify_revert import recompute_revert
from flair_client.history.verify_update import read_commit, requiring
from flair_client.history.verify_weights import (
    first_difference,
    naming,
    read_manifest,
    verify_complete,
)
from flair_client.ids import Cid, CommitId
from flair_client.objects import Commit, CommitKind, Manifest
from flair_client.store.base import Store

__all__ = [
    "HOW_CHECKED",
    "CheckedCommit",
    "Evidence",
    "check_event_list",
    "check_no_state",
    "check_parent",
    "check_place",
    "check_policy",
    "check_recipe",
    "terms_of",
    "trusted_commit",
    "verify_move",
]

HOW_CHECKED: Final = {
    CommitKind.ROOT: "signed by its owner, complete",
    CommitKind.SNAPSHOT: "signed by its owner, complete",
    CommitKind.MERGE: "recomputed",
    CommitKind.REVERT: "recomputed",
}


def trusted_commit(
    evidence: Evidence, commit_id: CommitId, inherited: Cid | None = None
) -> CheckedCommit:
    """Reads a commit from which verification is to start.

    Digest, form and signature are checked, what led to it is not.

    Args:
        evidence: of the branch.
        commit_id: once the branch's head.
        inherited: the recipe in force before it, where that is known.

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
        recipe = commit.recipe or inherited or _inherited_recipe(evidence, commit_id)
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
        start = 1 if previous is None else previous.last_seq + 1
        last_seq = check_event_list(evidence, commit, (start,), move, where)
        recipe = check_recipe(evidence.store, commit, previous, where)
        check_policy(evidence.history, commit, where)
        check_no_state(commit, move, where)
    manifest = _verified_weights(evidence, move, commit, previous)
    with naming(where):
        verify_complete(
            evidence.store,
            manifest,
            known=evidence.known_tensors,
            takes_light=evidence.takes_light,
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
    if move.merged:
        must(
            commit.parents[1:] == move.merged,
            "merges other commits than the chain says",
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
    starts: Sequence[int],
    move: MoveRecord,
    where: str,
) -> int:
    """The events begin where they may, are the chain's, and reach far enough.

    Gives the number of the last one.
    """
    must = requiring(where)
    if commit.events is None:
        raise VerificationError(where, "carries no events")
    listed = read_event_list(evidence.store, commit.events)
    first_seq = listed.first_seq
    must(
        first_seq in starts,
        f"its events begin with {first_seq} instead of {starts[0]}",
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
    """The recipe that the newest commit before this one brought.

    A repair brings its own, so nothing behind it is read.
    """
    moves = iter(reversed(evidence.moves))
    for move in moves:
        if move.new_head == commit_id:
            break
    for move in moves:
        commit = read_commit(evidence.store, move.new_head)
        if commit.recipe is not None:
            return commit.recipe
    return None


def check_recipe(
    store: Store, commit: Commit, previous: CheckedCommit | None, where: str
) -> Cid | None:
    """It changes with a root or a snapshot only. Gives the one in force from here."""
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


def check_policy(history: RepoHistory, commit: Commit, where: str) -> None:
    """A policy that it names is one of the repository's."""
    if commit.policy is not None:
        known = {policy.digest for policy in history.policies.values()}
        requiring(where)(
            commit.policy in known, "names a policy that the repository does not have"
        )


def check_no_state(commit: Commit, move: MoveRecord, where: str) -> None:
    """Merges of rounds carry what a strategy keeps; after others it begins anew."""
    requiring(where)(
        move.round is not None or commit.strategy_state is None,
        f"is a {commit.kind} and carries a strategy's state",
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
            previous.commit,
            move.new_head,
            commit,
        )
    if commit.kind is CommitKind.MERGE and previous is not None:
        return verify_model_merge(
            evidence.store,
            move.new_head,
            commit,
            previous.manifest,
            progress=evidence.progress,
        )
    with naming(where):
        if commit.weights is None:
            raise VerificationError(where, "carries no weights")
        manifest = read_manifest(evidence.store, commit.weights)
        if commit.reverts is not None and previous is not None:
            try:
                expected = recompute_revert(
                    evidence, previous.manifest, commit.reverts, move.event_seq, where
                )
            except NotSeparable as exc:
                raise VerificationError(where, str(exc)) from exc
            difference = first_difference(expected, manifest)
            requiring(where)(difference is None, f"weights: {difference}")
    return manifest
