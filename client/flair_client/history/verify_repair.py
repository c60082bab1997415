"""Checks a commit that leaves wrong ones behind: it must stand on its own.

Two kinds can do that. A snapshot is its signer's word anyway: it restates all weights
and the recipe. A revert of the first wrong commit restates the last valid commit, which
is compared, so that nobody's word is needed.
"""

from flair_client.encoding import decode_commit
from flair_client.errors import FlairError, VerificationError
from flair_client.history.checked import CheckedCommit, Evidence
from flair_client.history.events import read_event_list
from flair_client.history.records import MoveRecord
from flair_client.history.verify_move import (
    check_event_list,
    check_no_state,
    check_place,
    check_policy,
    check_recipe,
)
from flair_client.history.verify_update import read_commit, requiring
from flair_client.history.verify_weights import (
    first_difference,
    naming,
    read_manifest,
    verify_complete,
)
from flair_client.ids import CommitId
from flair_client.objects import Commit, CommitKind, Manifest, RevertKind


def verify_repair(
    evidence: Evidence,
    move: MoveRecord,
    valid: CheckedCommit | None,
    first_wrong: CommitId,
) -> CheckedCommit:
    """Checks a commit on top of wrong ones, and gives what the branch goes on from.

    Args:
        evidence: what to compare with.
        move: by the events.
        valid: the last valid commit; None where not even the first one was.
        first_wrong: the first commit after it.

    Raises:
        VerificationError: it repairs nothing, or is wrong itself.
    """
    commit_id = move.new_head
    where = f"commit {commit_id.short}"
    must = requiring(where)
    must(
        move.kind in (CommitKind.SNAPSHOT, CommitKind.REVERT),
        f"follows {first_wrong.short}, which is not valid",
    )
    must(
        valid is not None or move.kind is CommitKind.SNAPSHOT,
        "reverts the first commit of all, before which nothing was valid",
    )
    branch = evidence.history.branches[move.branch]
    with naming(where):
        commit = read_commit(evidence.store, commit_id)
        check_place(evidence.history, branch, move, commit, where)
        must(
            commit.parents == (move.old_head,),
            f"its first parent is not the head before it, {move.old_head.short}",
        )
        starts = _starts(evidence, move, valid)
        last_seq = check_event_list(evidence, commit, starts, move, where)
        must(
            commit.recipe is not None,
            f"follows {first_wrong.short}, which is not valid, and names no recipe",
        )
        recipe = check_recipe(evidence.store, commit, valid, where)
        check_policy(evidence.history, commit, where)
        check_no_state(commit, move, where)
        manifest = _weights(evidence, commit, valid, first_wrong, where)
        verify_complete(
            evidence.store,
            manifest,
            known=evidence.known_tensors,
            takes_light=evidence.takes_light,
            progress=evidence.progress,
        )
    return CheckedCommit(commit_id, commit, manifest, recipe, last_seq)


def _weights(
    evidence: Evidence,
    commit: Commit,
    valid: CheckedCommit | None,
    first_wrong: CommitId,
    where: str,
) -> Manifest:
    if commit.weights is None:
        raise VerificationError(where, "carries no weights")
    manifest = read_manifest(evidence.store, commit.weights)
    reverts = commit.reverts
    if reverts is None or valid is None:
        return manifest
    must = requiring(where)
    must(
        reverts.kind is RevertKind.MERGE and reverts.commit == first_wrong,
        f"follows {first_wrong.short}, which is not valid, and does not revert it",
    )
    difference = first_difference(valid.manifest, manifest)
    must(difference is None, f"weights: {difference}")
    return manifest


def _starts(
    evidence: Evidence, move: MoveRecord, valid: CheckedCommit | None
) -> tuple[int, ...]:
    """Where its events may begin: behind those of the last valid commit, or its parent.

    The parent's list counts only as far as it can be read and is the chain's.
    """
    after_valid = 1 if valid is None else valid.last_seq + 1
    try:
        parent = decode_commit(evidence.store.get(move.old_head.cid))
        if parent.events is None:
            return (after_valid,)
        listed = read_event_list(evidence.store, parent.events)
    except FlairError:
        return (after_valid,)
    end = listed.first_seq + len(listed.events)
    if listed.first_seq > after_valid or end > move.event_seq:
        return (after_valid,)
    if list(listed.events) != evidence.events[listed.first_seq - 1 : end - 1]:
        return (after_valid,)
    return (after_valid, end)
