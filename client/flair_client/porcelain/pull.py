"""Verifies what is new on the workspace's branch and moves there."""

from dataclasses import dataclass

from flair_client.context import Context
from flair_client.errors import VerificationError, WorkspaceError
from flair_client.history.evidence import (
    BranchEvidence,
    RepoEvidence,
    gather_repo,
)
from flair_client.history.verify import valid_head_of
from flair_client.ids import CommitId
from flair_client.porcelain.checkout import blocks_of, check_out, fetched_now
from flair_client.porcelain.form import (
    Fetched,
    keep_form,
    takes_light,
)
from flair_client.porcelain.listed_stores import keep_listed, listed_stores
from flair_client.porcelain.refs import (
    known_heads,
    remember_heads,
    remember_verified,
    verified_commits,
)
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import save_terms, terms_now
from flair_client.store.base import Store
from flair_client.workspace import Head, Workspace


@dataclass(frozen=True, slots=True)
class Pulled:
    """Where the workspace stands now.

    Attributes:
        before: where it stood.
        commit: where it stands: the newest valid commit of the branch.
        n_verified: new commits that were checked.
        fault: what is wrong with the commit after it; None where it is the head.
        fetched: from the shared store.
    """

    branch: str
    before: CommitId | None
    commit: CommitId
    n_verified: int
    round_index: int
    fault: str | None
    fetched: Fetched


@dataclass(slots=True)
class Memory:
    """What a process that pulls again and again keeps: the history as it read it.

    Without it every pull reads all events of the repository from its blocks.
    """

    repo: RepoEvidence | None = None

    def gather(self, ctx: Context, store: Store, place: BranchTarget) -> BranchEvidence:
        """Reads what is new.

        Raises:
            VerificationError: events or accounts are wrong.
            ChainError, StoreError: something cannot be read.
        """
        # Folding changes records in place: an error leaves nothing to go on from.
        known, self.repo = self.repo, None
        name = place.account.name
        found = gather_repo(
            ctx.chain,
            store,
            place.repo.address,
            [name],
            genesis_hash=ctx.network.genesis_hash,
            progress=ctx.progress,
            known=known,
        )
        self.repo = found
        return found.branch(name)


def pull(
    ctx: Context,
    workspace: Workspace,
    branch: str | None = None,
    *,
    light: bool | None = None,
    memory: Memory | None = None,
) -> Pulled:
    """Moves to the newest valid commit of the branch.

    Args:
        ctx: read only.
        workspace: a clone.
        branch: to be on from now on; without one the workspace's.
        light: whether to take the light form of frozen tensors from now on, where there
            is one; without it as before.
        memory: of earlier pulls of the same workspace, in the same process.

    Raises:
        WorkspaceError: the workspace is no clone.
        VerificationError: events or accounts are wrong, or no commit is valid.
    """
    with workspace.lock():
        head = workspace.head()
        if head is None:
            raise WorkspaceError("nothing was checked out here yet")
        name = branch or head.branch
        place = find_repo(ctx, workspace.repo()).branch(name)
        store = blocks_of(ctx, workspace)
        before = takes_light(workspace)
        takes = before if light is None else light
        last = known_heads(workspace).get(name)
        since = last if last in verified_commits(workspace) else None
        gathered = (memory or Memory()).gather(ctx, store, place)
        found = valid_head_of(
            gathered.taking_light(takes_light=takes),
            since=since,
            verified=verified_commits(workspace),
        )
        if found.commit_id is None:
            raise found.fault or VerificationError(
                f"branch {name!r}", "has no commit yet"
            )
        remember_heads(workspace, {name: found.commit_id})
        remember_verified(workspace, [one.commit_id for one in found.commits])
        is_there = head == Head(name, found.commit_id) and takes == before
        if not is_there or not workspace.weights_path.exists():
            to = Head(name, None)
            check_out(ctx, workspace, store, to, found.commit_id, light=takes)
            keep_listed(workspace, listed_stores(store, found.commit_id))
        # Last: cut off before it, the same command writes the weights once more.
        keep_form(workspace, light=takes)
        if name != head.branch:
            workspace.bind(workspace.repo(), name, ctx.network.store_url)
        terms = terms_now(place)
        save_terms(workspace, terms)
    return Pulled(
        name,
        head.commit,
        found.commit_id,
        len(found.commits),
        terms.round_index,
        None if found.fault is None else str(found.fault),
        fetched_now(workspace, store, found.commit_id),
    )
