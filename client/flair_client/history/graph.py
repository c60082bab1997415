"""Commits as a graph: ancestors and common ancestors, over any lookup of parents."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol, TypeVar

from flair_client.errors import UsageError
from flair_client.ids import CommitId
from flair_client.store.base import Store

if TYPE_CHECKING:
    from flair_client.objects import Commit, Manifest

# Parents of a commit, its own line first.
LookupParents = Callable[[CommitId], Sequence[CommitId]]


def read_commit(store: Store, commit_id: CommitId) -> "Commit":
    """Reads and decodes a commit; its signature is not verified.

    Raises:
        BlockMissing, DigestMismatch: the block is not there or not itself.
        ObjectInvalid, ObjectTooLarge: it is no commit.
    """
    # Lists of commits come from elsewhere mostly, and this takes long to import.
    from flair_client.encoding import decode_commit

    return decode_commit(store.get(commit_id.cid))


def manifest_of(store: Store, commit_id: CommitId) -> "Manifest":
    """Reads the manifest of a commit that has weights.

    Raises:
        UsageError: it has none: it is an update.
        BlockMissing, DigestMismatch, ObjectInvalid: it cannot be read.
    """
    from flair_client.encoding import decode_manifest

    commit = read_commit(store, commit_id)
    if commit.weights is None:
        raise UsageError(f"commit {commit_id.short} is an update and has no weights")
    return decode_manifest(store.get(commit.weights))


def parents_in(store: Store) -> LookupParents:
    """Looks parents up in a store. The lookup raises as `read_commit`."""

    def lookup(commit_id: CommitId) -> Sequence[CommitId]:
        return read_commit(store, commit_id).parents

    return lookup


def walk(
    store: Store, head: CommitId, *, first_parent: bool = False
) -> "Iterator[tuple[CommitId, Commit]]":
    """Commits from a head back to the root, each once, children before parents.

    Along the branch's own line each merge comes before the updates that it merged, and
    these before the head that it was made from.

    Args:
        store: where the commits lie.
        head: where to begin.
        first_parent: only the branch's own line.

    Raises:
        As `read_commit`.
    """
    seen: set[CommitId] = set()
    line: CommitId | None = head
    while line is not None and line not in seen:
        seen.add(line)
        commit = read_commit(store, line)
        yield line, commit
        if not first_parent:
            for other in commit.parents[1:]:
                if other not in seen:
                    seen.add(other)
                    yield other, read_commit(store, other)
        line = commit.parents[0] if commit.parents else None


def ancestors(lookup_parents: LookupParents, start: CommitId) -> Iterator[CommitId]:
    """All commits reachable from one, without itself, nearest first."""
    seen = {start}
    queue = deque([start])
    while queue:
        for parent in lookup_parents(queue.popleft()):
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
                yield parent


def is_ancestor(
    lookup_parents: LookupParents, ancestor: CommitId, descendant: CommitId
) -> bool:
    """Whether one commit is the other, or reachable from it."""
    return ancestor == descendant or ancestor in ancestors(lookup_parents, descendant)


def merge_bases(
    lookup_parents: LookupParents, left: CommitId, right: CommitId
) -> tuple[CommitId, ...]:
    """The best common ancestors: those that no other common ancestor reaches.

    There can be several (criss-cross merges), or none. Sorted by id.
    """
    common = {left, *ancestors(lookup_parents, left)}
    common &= {right, *ancestors(lookup_parents, right)}
    reached: set[CommitId] = set()
    for commit_id in common:
        if commit_id not in reached:
            reached.update(ancestors(lookup_parents, commit_id))
    return tuple(sorted(common - reached))


class Dated(Protocol):
    """A commit, or whatever else says when it was made, and from what."""

    @property
    def time(self) -> int:
        """Seconds since 1970, as the author claims."""

    @property
    def parents(self) -> tuple[CommitId, ...]:
        """Of the commit."""


_D = TypeVar("_D", bound=Dated)


def newest_first(
    commits: Sequence[tuple[CommitId, _D]],
) -> Iterator[tuple[CommitId, _D]]:
    """Commits by their author's claim of time, but never a parent before its child."""
    by_id = dict(commits)
    n_children = dict.fromkeys(by_id, 0)
    for commit in by_id.values():
        for parent in commit.parents:
            if parent in n_children:
                n_children[parent] += 1
    ready: list[tuple[int, CommitId]] = []
    for commit_id, count in n_children.items():
        if not count:
            heappush(ready, (-by_id[commit_id].time, commit_id))
    while ready:
        _, commit_id = heappop(ready)
        yield commit_id, by_id[commit_id]
        for parent in by_id[commit_id].parents:
            if parent in n_children:
                n_children[parent] -= 1
                if not n_children[parent]:
                    heappush(ready, (-by_id[parent].time, parent))
