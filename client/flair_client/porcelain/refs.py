"""Names of commits: branches, HEAD, `X~N`, ids and their first digits."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from flair_client.errors import IdentifierInvalid, RefUnknown, WorkspaceError
from flair_client.history.gaps import Unreadable, walk_over_gaps
from flair_client.ids import CommitId
from flair_client.objects import Commit
from flair_client.store.base import Store
from flair_client.workspace import Workspace

_HEADS: Final = "heads"
_VERIFIED: Final = "verified"
# Fewer digits name no commit: too many would begin with them.
MIN_DIGITS: Final = 6
_PREFIX: Final = re.compile(rf"[0-9a-f]{{{MIN_DIGITS},64}}")
_PARENT: Final = re.compile(r"(?P<name>.*?)~(?P<count>[0-9]{0,6})")
_MAX_SHOWN: Final = 8


@contextmanager
def _undamaged(marker: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, IdentifierInvalid) as exc:
        raise WorkspaceError(f".flair/state/{marker}.toml is damaged: {exc}") from exc


def known_heads(workspace: Workspace) -> dict[str, CommitId]:
    """Gives the heads of branches as they were at the last clone or pull.

    Raises:
        WorkspaceError: their file was damaged.
    """
    table = workspace.marker(_HEADS) or {}
    with _undamaged(_HEADS):
        return {name: CommitId.parse(str(text)) for name, text in table.items()}


def remember_heads(workspace: Workspace, heads: Mapping[str, CommitId]) -> None:
    """Keeps heads of branches; others stay as they are."""
    table = {**known_heads(workspace), **heads}
    workspace.set_marker(_HEADS, {name: str(head) for name, head in table.items()})


def verified_commits(workspace: Workspace) -> set[CommitId]:
    """Gives the commits that were found right on this machine.

    Raises:
        WorkspaceError: their file was damaged.
    """
    table = workspace.marker(_VERIFIED) or {}
    with _undamaged(_VERIFIED):
        return {CommitId.parse(str(text)) for text in table.get("commits", [])}


def remember_verified(workspace: Workspace, commits: Iterable[CommitId]) -> None:
    """Keeps which commits were found right."""
    known = verified_commits(workspace) | set(commits)
    workspace.set_marker(_VERIFIED, {"commits": sorted(map(str, known))})


def resolve(workspace: Workspace, store: Store, text: str | None) -> CommitId:
    """Gives the commit that a text names; without one that of HEAD.

    Raises:
        RefUnknown: none or several commits have this name.
    """
    head = workspace.head()
    current = None if head is None else head.commit
    return resolve_commit(store, known_heads(workspace), current, text or "HEAD")


def resolve_commit(
    store: Store, heads: Mapping[str, CommitId], current: CommitId | None, text: str
) -> CommitId:
    """Gives the commit that a text names.

    Args:
        store: where commits lie.
        heads: of branches, by name.
        current: what HEAD means.
        text: a branch, `HEAD`, six or more digits of an id, or one of them with `~N`.

    Raises:
        RefUnknown: none or several commits have this name.
    """
    parent = _PARENT.fullmatch(text)
    if parent is not None:
        start = resolve_commit(store, heads, current, parent["name"] or "HEAD")
        return _ancestor(store, start, int(parent["count"] or 1), text)
    if text == "HEAD":
        if current is None:
            raise RefUnknown("HEAD is not set: nothing was checked out yet")
        return current
    if text in heads:
        return heads[text]
    if len(text) == 64:
        try:
            return CommitId.parse(text)
        except IdentifierInvalid as exc:
            raise RefUnknown(f"{text!r} names no commit") from exc
    if _PREFIX.fullmatch(text) is None:
        raise RefUnknown(f"{text!r} is neither a branch nor six digits of a commit")
    return _by_prefix(store, {*heads.values(), *([current] if current else [])}, text)


def _ancestor(store: Store, start: CommitId, count: int, text: str) -> CommitId:
    last: Commit | Unreadable | None = None
    for place, (commit_id, found) in enumerate(walk_over_gaps(store, start)):
        if place == count:
            return commit_id
        last = found
    if isinstance(last, Exception):
        raise last
    raise RefUnknown(f"{text!r} goes beyond the root")


def _by_prefix(store: Store, starts: set[CommitId], text: str) -> CommitId:
    found = {
        commit_id
        for start in starts
        for one, commit in walk_over_gaps(store, start)
        for commit_id in (one, *_merged(commit))
        if str(commit_id).startswith(text)
    }
    if not found:
        raise RefUnknown(f"no commit of this history begins with {text!r}")
    if len(found) > 1:
        listed = ", ".join(sorted(one.short for one in found)[:_MAX_SHOWN])
        raise RefUnknown(f"{len(found)} commits begin with {text!r}: {listed}")
    return found.pop()


def _merged(commit: Commit | Unreadable) -> tuple[CommitId, ...]:
    return commit.parents[1:] if isinstance(commit, Commit) else ()
