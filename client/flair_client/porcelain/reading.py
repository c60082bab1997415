"""From where history is read: a workspace, or a repository's address alone.

Used by the verbs that only look; no verb itself.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flair_client.context import Context
from flair_client.errors import AccountMissing
from flair_client.history.commit_pack import CommitHeader, CommitPack
from flair_client.history.gaps import Unreadable, walk_headers, walk_over_gaps
from flair_client.ids import CommitId
from flair_client.porcelain.refs import (
    Tag,
    known_heads,
    known_tags,
    names_for,
    resolve_commit,
    started_commits,
    verified_among,
)
from flair_client.repo_address import RepoAddress
from flair_client.store.base import Store
from flair_client.store.layered import LayeredStore
from flair_client.workspace import Workspace

if TYPE_CHECKING:
    from flair_client.objects import Commit

DEFAULT_BRANCH = "main"


@dataclass(frozen=True, slots=True)
class Reading:
    """Where commits lie, and what they are called there.

    Attributes:
        heads: of branches, by name.
        current: what HEAD means; None before anything was checked out.
        current_branch: the branch that HEAD is on; None outside a workspace.
        verified: commits that were found right on this machine.
        tags: the workspace's own names for commits.
        pack: commits that were read here before; None outside a workspace.
        started: commits that were made here and are in no history yet.
    """

    store: Store
    heads: Mapping[str, CommitId]
    current: CommitId | None
    current_branch: str | None = None
    verified: Container[CommitId] = ()
    tags: Mapping[str, Tag] = field(default_factory=dict)
    pack: CommitPack | None = None
    started: tuple[CommitId, ...] = ()

    def resolve(self, text: str | None) -> CommitId:
        """Gives the commit that a text names; without one that of HEAD.

        Raises:
            RefUnknown: none or several commits have this name.
        """
        names = names_for(self.heads, self.tags)
        return resolve_commit(
            *(self.store, names, self.current, text or "HEAD"),
            walk=self.walk,
            started=self.started,
        )

    def walk(
        self, start: CommitId
    ) -> "Iterator[tuple[CommitId, Commit | CommitHeader | Unreadable]]":
        """The line of a commit back, newest first, over what cannot be read."""
        if self.pack is None:
            return walk_over_gaps(self.store, start)
        return walk_headers(self.store, start, self.pack)

    def names(self) -> dict[CommitId, tuple[str, ...]]:
        """What commits are called: HEAD, branches, and tags as `tag: NAME`."""
        found: dict[CommitId, list[str]] = {}
        if self.current_branch is not None and self.current is not None:
            found[self.current] = ["HEAD"]
        for name, head in sorted(self.heads.items()):
            found.setdefault(head, []).append(name)
        for name, tag in sorted(self.tags.items()):
            found.setdefault(tag.commit, []).append(f"tag: {name}")
        return {commit_id: tuple(names) for commit_id, names in found.items()}

    def names_of(self, commit_id: CommitId) -> tuple[str, ...]:
        """What one commit is called."""
        return self.names().get(commit_id, ())


def reading_here(ctx: Context, workspace: Workspace) -> Reading:
    """A workspace's own commits; blocks that are not here come from the shared store.

    The chain is not asked.
    """
    head = workspace.head()
    return Reading(
        LayeredStore(workspace.cache(), ctx.remote),
        known_heads(workspace),
        None if head is None else head.commit,
        None if head is None else head.branch,
        verified_among(workspace),
        known_tags(workspace),
        CommitPack(workspace.commits_path),
        started_commits(workspace),
    )


def reading_there(ctx: Context, repo: RepoAddress) -> Reading:
    """A repository's commits, as its branches are now on chain; none is verified.

    Raises:
        AccountMissing: there is no such repository.
    """
    from flair_client.porcelain.target import find_repo

    target = find_repo(ctx, repo)
    heads = {
        one.name: one.head_commit
        for one in ctx.chain.branches(target.address)
        if any(one.head_commit.raw)
    }
    if not heads:
        raise AccountMissing(target.address, "commit in", repo.at(None))
    current = heads.get(DEFAULT_BRANCH) or heads[min(heads)]
    return Reading(ctx.remote, heads, current)
