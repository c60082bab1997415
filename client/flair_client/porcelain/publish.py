"""The first commit of a branch: from a workspace's files to a head on chain."""

import math
from pathlib import Path

from flair_client.chain.accounts import MoveKind
from flair_client.context import Context
from flair_client.encoding import commit_id as id_of
from flair_client.encoding import encode_commit, encode_event_list, sign_commit
from flair_client.errors import Refused, UsageError
from flair_client.history.events import events_for_commit
from flair_client.history.graph import is_ancestor, parents_in, read_commit
from flair_client.ids import CODEC_DAG_CBOR, CommitId
from flair_client.objects import Commit, CommitKind, Manifest
from flair_client.porcelain.advance import advance
from flair_client.porcelain.auditing import write_push, write_pushed
from flair_client.porcelain.checkout import (
    blocks_of,
    manifest_of,
    put_manifest,
    put_recipe,
)
from flair_client.porcelain.repo_publish import RootPlan
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.transfer import blocks_of_commit, send_blocks
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.repo_address import RepoAddress
from flair_client.store.base import Store
from flair_client.training.recipe import parse_recipe
from flair_client.weights import (
    FingerprintCache,
    import_weights,
    read_safetensors,
    roles_by_pattern,
)
from flair_client.weights.light_form import with_light_form
from flair_client.workspace import RECIPE_FILE, WEIGHTS_FILE, Head, Workspace

NO_COMMIT = CommitId(bytes(32))


def describe_root(folder: Path, repo: RepoAddress | None = None) -> RootPlan:
    """Tells what a workspace would publish; touches no chain and no store.

    Args:
        folder: of the workspace.
        repo: where it is going to be published.

    Raises:
        UsageError: there is no recipe or no weights, or the workspace belongs to
            another repository already.
        ObjectInvalid: one of them is malformed.
    """
    workspace = Workspace(folder)
    if not workspace.recipe_path.exists() or not workspace.weights_path.exists():
        raise UsageError(
            f"{folder} has no model to publish: {RECIPE_FILE} or {WEIGHTS_FILE} is "
            "missing"
        )
    if repo is not None and workspace.is_bound and workspace.repo() != repo.at(None):
        raise UsageError(f"{folder} belongs to {workspace.repo()} already")
    recipe = parse_recipe(workspace.recipe_path.read_bytes())
    role_of = roles_by_pattern(recipe.roles)
    with read_safetensors(workspace.weights_path) as file:
        spans = file.header.spans.values()
        n_params = sum(
            math.prod(span.shape)
            for span in spans
            if role_of(span.name, span.dtype).is_shared
        )
    return RootPlan(n_params, 0 if recipe.statistics else 1, recipe.policy)


def publish_root(
    ctx: Context, folder: Path, repo: RepoAddress, branch: str
) -> CommitId:
    """Makes the root commit of a branch, or finishes what an earlier run began.

    Raises:
        Refused: the branch has another root already.
    """
    workspace = Workspace(folder)
    with workspace.lock():
        place = find_repo(ctx, repo).branch(branch)
        store = blocks_of(ctx, workspace)
        root = _begun(workspace, place, store)
        if root is None:
            root = _make_root(ctx, workspace, place, store)
            workspace.set_marker(
                "root",
                {"commit": str(root), "repo": str(repo.at(None)), "branch": branch},
            )
        head = place.account.head_commit
        if head == NO_COMMIT:
            blocks = list(blocks_of_commit(store, root))
            write_push(ctx, place.repo.name, blocks, branch=branch, commit=str(root))
            sent = send_blocks(ctx, store, blocks)
            advance(ctx, place, MoveKind.ROOT, root)
            write_pushed(ctx, root, sent)
        elif not is_ancestor(parents_in(store), root, head):
            raise Refused(f"branch {branch!r} has another root already")
        workspace.bind(repo, branch, ctx.network.store_url)
        if workspace.head() is None:
            workspace.set_head(Head(branch, root))
        return root


def _begun(workspace: Workspace, place: BranchTarget, store: Store) -> CommitId | None:
    marker = workspace.marker("root")
    if marker is None or marker.get("branch") != place.account.name:
        return None
    if marker.get("repo") != str(place.repo.name.at(None)):
        return None
    root = CommitId.parse(str(marker["commit"]))
    # The files may have been changed since an earlier run was cut off.
    if place.account.head_commit == NO_COMMIT:
        manifest = _import(workspace, store)
        if manifest != manifest_of(store, root):
            return None
        if put_recipe(store, workspace) != read_commit(store, root).recipe:
            return None
    return root


def _import(
    workspace: Workspace, store: Store, progress: Progress = NO_PROGRESS
) -> Manifest:
    recipe = parse_recipe(workspace.recipe_path.read_bytes())
    manifest = import_weights(
        workspace.weights_path,
        store,
        roles_by_pattern(recipe.roles),
        cache=FingerprintCache(workspace.state_folder / "fingerprints"),
        progress=progress,
    )
    if not recipe.int8_base:
        return manifest
    return with_light_form(manifest, store, progress=progress)


def _make_root(
    ctx: Context, workspace: Workspace, place: BranchTarget, store: Store
) -> CommitId:
    events = events_for_commit(ctx.chain, store, place.repo.address, None)
    commit = Commit(
        kind=CommitKind.ROOT,
        repo=place.repo.address,
        branch=place.account.name,
        author=ctx.wallet.address,
        message="root",
        time=ctx.now(),
        policy=place.policy(place.account.policy_index).digest,
        weights=put_manifest(store, _import(workspace, store, ctx.progress)),
        recipe=put_recipe(store, workspace),
        events=store.put(CODEC_DAG_CBOR, encode_event_list(events)),
    )
    signed = sign_commit(commit, ctx.wallet.address, ctx.wallet.sign)
    block = encode_commit(signed)
    store.put(CODEC_DAG_CBOR, block)
    return id_of(block)
