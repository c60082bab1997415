"""Names that a user gives commits; they stay in the workspace."""

from dataclasses import dataclass
from typing import Final

from flair_client.context import Context
from flair_client.errors import RefUnknown, TagExists, UsageError
from flair_client.history.graph import read_commit
from flair_client.names import check_name
from flair_client.porcelain.checkout import blocks_of
from flair_client.porcelain.refs import (
    MIN_DIGITS,
    Tag,
    is_like_id,
    keep_tags,
    known_heads,
    known_tags,
    resolve,
)
from flair_client.workspace import Workspace

# Their file may have a megabyte.
MAX_TAGS: Final = 1000
MAX_MESSAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Tagged:
    """What a command did with tags, and which there are.

    Attributes:
        made: the tag that is new or was moved.
        removed: the tag that is gone.
        tags: all there are now, by name.
        hidden: names of those that a branch hides.
    """

    made: Tag | None
    removed: Tag | None
    tags: tuple[Tag, ...]
    hidden: tuple[str, ...]


def tag_list(workspace: Workspace) -> Tagged:
    """Lists the workspace's tags.

    Raises:
        WorkspaceError: their file was damaged.
    """
    return _tagged(workspace, None, None)


def tag_set(
    ctx: Context,
    workspace: Workspace,
    name: str,
    ref: str | None = None,
    *,
    message: str = "",
    replace: bool = False,
) -> Tagged:
    """Gives a commit a name; whoever is killed finds the old tags or the new ones.

    Args:
        ctx: fetches the commit where it is not here; the chain is not asked.
        workspace: where the tag is kept.
        name: as a branch's, and neither a branch nor like the digits of a commit.
        ref: names the commit; HEAD without it.
        message: what to say about it.
        replace: whether a tag of this name may be moved.

    Raises:
        TagExists: there is one of this name, which may not be moved.
        UsageError: a branch has this name, or it could be a commit's id; the message is
            too long.
        RefUnknown, BlockMissing: there is no such commit.
        WorkspaceLocked: another process works here.
    """
    with workspace.lock():
        tags = known_tags(workspace)
        _check_new(workspace, name, message)
        if name in tags and not replace:
            raise TagExists(f"tag {name!r} is commit {tags[name].commit.short} already")
        if name not in tags and len(tags) >= MAX_TAGS:
            raise UsageError(f"there are {MAX_TAGS} tags, which is as many as may be")
        store = blocks_of(ctx, workspace)
        commit_id = resolve(workspace, store, ref)
        read_commit(store, commit_id)
        made = Tag(name, commit_id, message, ctx.now())
        keep_tags(workspace, {**tags, name: made}.values())
    return _tagged(workspace, made, None)


def tag_delete(workspace: Workspace, name: str) -> Tagged:
    """Forgets a tag; its commit stays.

    Raises:
        RefUnknown: there is none of this name.
        WorkspaceLocked: another process works here.
    """
    with workspace.lock():
        tags = known_tags(workspace)
        if name not in tags:
            raise RefUnknown(f"there is no tag {name!r}")
        removed = tags.pop(name)
        keep_tags(workspace, tags.values())
    return _tagged(workspace, None, removed)


def _check_new(workspace: Workspace, name: str, message: str) -> None:
    check_name("tag name", name)
    if ".." in name:
        raise UsageError(f"{name!r} can be no tag: '..' stands between two commits")
    if is_like_id(name):
        raise UsageError(
            f"{name!r} can be no tag: {MIN_DIGITS} or more of 0-9 a-f name a commit"
        )
    head = workspace.head()
    if name in known_heads(workspace) or (head is not None and head.branch == name):
        raise UsageError(f"{name!r} can be no tag: a branch has this name")
    if len(message) > MAX_MESSAGE or not message.isprintable():
        raise UsageError(f"a tag's message is one line of at most {MAX_MESSAGE}")


def _tagged(workspace: Workspace, made: Tag | None, removed: Tag | None) -> Tagged:
    tags = known_tags(workspace)
    heads = known_heads(workspace)
    return Tagged(
        made,
        removed,
        tuple(tags.values()),
        tuple(name for name in tags if name in heads),
    )
