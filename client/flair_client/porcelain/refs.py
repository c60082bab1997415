"""Names of commits: branches, tags, HEAD, `X~N`, ids and their first digits."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flair_client.config_file import write_text
from flair_client.errors import IdentifierInvalid, RefUnknown, WorkspaceError
from flair_client.history.commit_pack import CommitHeader, CommitPack
from flair_client.history.gaps import Unreadable, walk_headers, walk_over_gaps
from flair_client.ids import DIGEST_SIZE, CommitId
from flair_client.names import check_name
from flair_client.store.base import Store
from flair_client.workspace import Workspace

if TYPE_CHECKING:
    from flair_client.objects import Commit

_HEADS: Final = "heads"
_VERIFIED: Final = "verified"
# As it is written below; in any other form it is read as TOML.
_VERIFIED_START: Final = b"commits = ["
_VERIFIED_END: Final = b"]\n"
_TAGS: Final = "tags"
# Fewer digits name no commit: too many would begin with them.
MIN_DIGITS: Final = 6
_PREFIX: Final = re.compile(rf"[0-9a-f]{{{MIN_DIGITS},64}}")
_PARENT: Final = re.compile(r"(?P<name>.*?)~(?P<count>[0-9]{0,6})")
_MAX_SHOWN: Final = 8
# Markers that name a commit which was made here and is not in the history yet.
_STARTED: Final = ("pending", "revert")

_Found: TypeAlias = "Commit | CommitHeader | Unreadable"
# The line of a commit back, newest first, over what cannot be read.
WalkLine: TypeAlias = "Callable[[CommitId], Iterator[tuple[CommitId, _Found]]]"


@dataclass(frozen=True, slots=True)
class Tag:
    """A name that a user of this workspace gave a commit.

    Attributes:
        message: what it says about the commit; often nothing.
        time: when it was made, in seconds since 1970 by this machine's clock.
    """

    name: str
    commit: CommitId
    message: str
    time: int


@contextmanager
def _undamaged(marker: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, IdentifierInvalid) as exc:
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
    return set(map(CommitId, _verified(workspace)))


def verified_among(workspace: Workspace) -> "CommitSet":
    """The same for those who only ask whether a commit is among them.

    Raises:
        WorkspaceError: their file was damaged.
    """
    return CommitSet(_verified(workspace))


class CommitSet:
    """Commits that are only asked for: of most of them no value is ever made."""

    __slots__ = ("_raws",)

    def __init__(self, raws: Container[bytes] = ()) -> None:
        """Of ids as bytes."""
        self._raws = raws

    def __contains__(self, commit_id: object) -> bool:
        return isinstance(commit_id, CommitId) and commit_id.raw in self._raws


def _verified(workspace: Workspace) -> set[bytes]:
    # Ten thousand of them take a parser of TOML longer than everything else.
    with suppress(FileNotFoundError):
        found = _listed(_verified_path(workspace).read_bytes())
        if found is not None:
            return found
    table = workspace.marker(_VERIFIED) or {}
    with _undamaged(_VERIFIED):
        return {CommitId.parse(str(text)).raw for text in table.get("commits", [])}


def _listed(text: bytes) -> set[bytes] | None:
    """Commits of the file as it is written below; in another form None."""
    if text == _VERIFIED_START + _VERIFIED_END:
        return set()
    inner = text.removeprefix(_VERIFIED_START + b'"').removesuffix(b'"' + _VERIFIED_END)
    if len(inner) + 2 + len(_VERIFIED_START + _VERIFIED_END) != len(text):
        return None
    try:
        raws = set(map(bytes.fromhex, inner.decode("ascii").split('", "')))
    except ValueError:
        return None
    return raws if all(len(raw) == DIGEST_SIZE for raw in raws) else None


def remember_verified(workspace: Workspace, commits: Iterable[CommitId]) -> None:
    """Keeps which commits were found right."""
    known = verified_commits(workspace) | set(commits)
    listed = ", ".join(f'"{one}"' for one in sorted(map(str, known)))
    whole = _VERIFIED_START + listed.encode("ascii") + _VERIFIED_END
    write_text(_verified_path(workspace), whole.decode("ascii"))


def _verified_path(workspace: Workspace) -> Path:
    return workspace.state_folder / "state" / f"{_VERIFIED}.toml"


def known_tags(workspace: Workspace) -> dict[str, Tag]:
    """Gives the workspace's tags by name, in order of their names.

    Raises:
        WorkspaceError: their file was damaged.
    """
    table = workspace.marker(_TAGS) or {}
    with _undamaged(_TAGS):
        return {name: _tag(name, table[name]) for name in sorted(table)}


def keep_tags(workspace: Workspace, tags: Iterable[Tag]) -> None:
    """Replaces the workspace's tags at once; the caller holds the lock."""
    workspace.set_marker(
        _TAGS,
        {
            tag.name: {
                "commit": str(tag.commit),
                "message": tag.message,
                "time": tag.time,
            }
            for tag in sorted(tags, key=lambda tag: tag.name)
        },
    )


def names_for(
    heads: Mapping[str, CommitId], tags: Mapping[str, Tag]
) -> dict[str, CommitId]:
    """Branches and tags together; a branch hides a tag of its name."""
    return {**{tag.name: tag.commit for tag in tags.values()}, **heads}


def is_like_id(text: str) -> bool:
    """Whether a text could be the first digits of a commit's id."""
    return _PREFIX.fullmatch(text) is not None


def _tag(name: str, table: Mapping[str, Any]) -> Tag:
    return Tag(
        check_name("tag name", name),
        CommitId.parse(str(table["commit"])),
        str(table["message"]),
        int(table["time"]),
    )


def resolve(workspace: Workspace, store: Store, text: str | None) -> CommitId:
    """Gives the commit that a text names; without one that of HEAD.

    Raises:
        RefUnknown: none or several commits have this name.
    """
    head = workspace.head()
    current = None if head is None else head.commit
    return resolve_commit(
        store,
        names_for(known_heads(workspace), known_tags(workspace)),
        current,
        text or "HEAD",
        walk=partial(walk_headers, store, pack=CommitPack(workspace.commits_path)),
        started=started_commits(workspace),
    )


def started_commits(workspace: Workspace) -> tuple[CommitId, ...]:
    """Gives commits that were made here and wait to be sent; damaged markers none."""
    found = []
    for name in _STARTED:
        with suppress(KeyError, IdentifierInvalid, WorkspaceError):
            found.append(CommitId.parse(str((workspace.marker(name) or {})["commit"])))
    return tuple(found)


def resolve_commit(
    store: Store,
    names: Mapping[str, CommitId],
    current: CommitId | None,
    text: str,
    *,
    walk: "WalkLine | None" = None,
    started: Iterable[CommitId] = (),
) -> CommitId:
    """Gives the commit that a text names.

    Args:
        store: where commits lie.
        names: branches and tags.
        current: what HEAD means.
        text: a branch, a tag, `HEAD`, six or more digits of an id; each also with `~N`.
        walk: goes along a line faster than commit by commit out of the store.
        started: commits that are in no history yet, and are named by digits all the
            same.

    Raises:
        RefUnknown: none or several commits have this name.
    """
    walk = walk or partial(walk_over_gaps, store)
    parent = _PARENT.fullmatch(text)
    if parent is not None:
        name = parent["name"] or "HEAD"
        start = resolve_commit(store, names, current, name, walk=walk, started=started)
        return _ancestor(walk, start, int(parent["count"] or 1), text)
    if text == "HEAD":
        if current is None:
            raise RefUnknown("HEAD is not set: nothing was checked out yet")
        return current
    if text in names:
        return names[text]
    if len(text) == 64:
        try:
            return CommitId.parse(text)
        except IdentifierInvalid as exc:
            raise RefUnknown(f"{text!r} names no commit") from exc
    if not is_like_id(text):
        raise RefUnknown(
            f"{text!r} is neither a branch, nor a tag, nor six digits of a commit"
        )
    starts = {*names.values(), *([current] if current else [])}
    return _by_prefix(walk, starts, started, text)


def _ancestor(walk: WalkLine, start: CommitId, count: int, text: str) -> CommitId:
    last: _Found | None = None
    for place, (commit_id, found) in enumerate(walk(start)):
        if place == count:
            return commit_id
        last = found
    if isinstance(last, Exception):
        raise last
    raise RefUnknown(f"{text!r} goes beyond the root")


def _by_prefix(
    walk: WalkLine, starts: set[CommitId], started: Iterable[CommitId], text: str
) -> CommitId:
    found = {one for one in started if str(one).startswith(text)}
    seen: set[CommitId] = set()
    for start in starts:
        for one, commit in walk(start):
            if one in seen:
                # From here on another start went along already.
                break
            seen.add(one)
            near = (one, *_merged(commit))
            found.update(it for it in near if str(it).startswith(text))
    if not found:
        raise RefUnknown(f"no commit of this history begins with {text!r}")
    if len(found) > 1:
        listed = ", ".join(sorted(one.short for one in found)[:_MAX_SHOWN])
        raise RefUnknown(f"{len(found)} commits begin with {text!r}: {listed}")
    return found.pop()


def _merged(commit: "_Found") -> tuple[CommitId, ...]:
    return () if isinstance(commit, Exception) else commit.parents[1:]
