"""A branch's line, also over commits that cannot be read.

Whoever may merge can make a head of which nobody has the block. It is left behind by a
later commit (see `line`), but stays a parent. The events that the commit on top of it
carries say what was the head before: so the line goes on there.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from flair_client.errors import BlockMissing, DigestMismatch, FlairError, ObjectError
from flair_client.history.commit_pack import CommitHeader, CommitPack
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId
from flair_client.store.base import Store

if TYPE_CHECKING:
    from flair_client.objects import Commit

Unreadable = BlockMissing | DigestMismatch | ObjectError
_C = TypeVar("_C", "Commit", "Commit | CommitHeader")


def walk_over_gaps(
    store: Store, head: CommitId
) -> "Iterator[tuple[CommitId, Commit | Unreadable]]":
    """The commits of a branch's own line from a head back, newest first.

    A commit that cannot be read comes as the error that says why. Where even the head
    before it is not known, it is the last one that comes.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    return _walk(store, head, partial(read_commit, store))


def walk_headers(
    store: Store, head: CommitId, pack: CommitPack
) -> "Iterator[tuple[CommitId, Commit | CommitHeader | Unreadable]]":
    """As `walk_over_gaps`, for those who list commits; a pack makes it fast.

    Args:
        store: where the commits lie that the pack lacks.
        head: where to begin.
        pack: read first; what it lacks is taken in.
    """

    def read(commit_id: CommitId) -> "Commit | CommitHeader":
        header = pack.get(commit_id)
        if header is not None:
            return header
        # Where the pack has everything, no other object needs to be known.
        from flair_client.encoding import decode_commit

        block = store.get(commit_id.cid)
        commit = decode_commit(block)
        pack.add(commit_id, block)
        return commit

    try:
        yield from _walk(store, head, read)
    finally:
        pack.save()


def _walk(
    store: Store, head: CommitId, read: Callable[[CommitId], _C]
) -> Iterator[tuple[CommitId, _C | Unreadable]]:
    # Of bytes, which know their hash: a long line asks for each again and again.
    seen: set[bytes] = set()
    commit_id: CommitId | None = head
    child: _C | None = None
    while commit_id is not None and commit_id.raw not in seen:
        seen.add(commit_id.raw)
        try:
            commit = read(commit_id)
        except (BlockMissing, DigestMismatch, ObjectError) as exc:
            yield commit_id, exc
            commit_id = _head_before(store, child, commit_id)
            continue
        yield commit_id, commit
        child = commit
        commit_id = commit.parents[0] if commit.parents else None


def _head_before(
    store: Store, child: "Commit | CommitHeader | None", commit_id: CommitId
) -> CommitId | None:
    """What was the head before a commit, by the events of one on top of it."""
    if child is None or child.events is None:
        return None
    # Few lines have a gap; all others are read without what knows events.
    from flair_client.chain.events import (
        BranchAdvanced,
        BranchMerged,
        MergeFinalized,
        decode_event,
    )
    from flair_client.encoding import decode_event_list

    try:
        listed = decode_event_list(store.get(child.events))
        events = [decode_event(event_bytes) for event_bytes in listed.events]
    except FlairError:
        return None
    for event in events:
        match event:
            case BranchAdvanced(new_head=moved, old_head=before):
                pass
            case BranchMerged(new_head=moved, old_head=before):
                pass
            case MergeFinalized(commit_id=moved, old_head=before):
                pass
            case _:
                continue
        if moved == commit_id and any(before.raw):
            return before
    return None
