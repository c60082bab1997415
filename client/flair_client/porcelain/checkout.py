"""From a commit to the files of a workspace; used by several verbs, no verb itself."""

from collections.abc import Mapping
from typing import Final

from flair_client.config_file import write_text
from flair_client.context import Context
from flair_client.encoding import (
    decode_manifest,
    decode_recipe,
    encode_manifest,
    encode_recipe,
)
from flair_client.errors import ObjectInvalid, UsageError
from flair_client.history.graph import read_commit, walk
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid, CommitId
from flair_client.objects import Manifest, Recipe, RecipeFile
from flair_client.store.base import Store
from flair_client.store.layered import LayeredStore
from flair_client.training.recipe import MAX_RECIPE_BYTES, TrainingRecipe, parse_recipe
from flair_client.weights import export_weights
from flair_client.workspace import CARD_FILE, RECIPE_FILE, Head, Workspace

# Nothing else is written next to the user's own files, whatever a recipe lists.
RECIPE_FILES: Final = (CARD_FILE, RECIPE_FILE)


def blocks_of(ctx: Context, workspace: Workspace) -> LayeredStore:
    """The workspace's own blocks in front of the shared store."""
    return LayeredStore(workspace.cache(), ctx.remote)


def manifest_of(store: Store, commit_id: CommitId) -> Manifest:
    """Reads the manifest of a commit that has weights.

    Raises:
        UsageError: it has none: it is an update.
        BlockMissing, DigestMismatch, ObjectInvalid: it cannot be read.
    """
    commit = read_commit(store, commit_id)
    if commit.weights is None:
        raise UsageError(f"commit {commit_id.short} is an update and has no weights")
    return decode_manifest(store.get(commit.weights))


def put_manifest(store: Store, manifest: Manifest) -> Cid:
    """Puts a manifest."""
    return store.put(CODEC_DAG_CBOR, encode_manifest(manifest))


def recipe_at(store: Store, commit_id: CommitId) -> Cid:
    """Finds the recipe in force at a commit: its own, or the nearest one before it.

    Raises:
        ObjectInvalid: there is none down to the root.
    """
    for _, commit in walk(store, commit_id, first_parent=True):
        if commit.recipe is not None:
            return commit.recipe
    raise ObjectInvalid("commit.recipe", "there is none down to the root")


def recipe_files(store: Store, recipe: Cid) -> dict[str, bytes]:
    """Reads the files of a recipe.

    Raises:
        ObjectInvalid: it has a file that no recipe has, or one of another size.
    """
    files = {}
    for file in decode_recipe(store.get(recipe)).files:
        if file.path not in RECIPE_FILES:
            raise ObjectInvalid("recipe.files", f"{file.path!r} has no place in one")
        content = store.get(file.cid, max_size=MAX_RECIPE_BYTES)
        if len(content) != file.size:
            raise ObjectInvalid("recipe.files", f"{file.path!r} has another size")
        files[file.path] = content
    if RECIPE_FILE not in files:
        raise ObjectInvalid("recipe.files", f"{RECIPE_FILE} is missing")
    return files


def training_recipe(store: Store, recipe: Cid) -> TrainingRecipe:
    """Reads what a recipe's `flair.toml` says."""
    return parse_recipe(recipe_files(store, recipe)[RECIPE_FILE])


def put_recipe(store: Store, workspace: Workspace) -> Cid:
    """Puts the recipe that lies in the workspace.

    Raises:
        UsageError: there is no `flair.toml`.
        ObjectInvalid: it is malformed.
    """
    files = []
    for name in RECIPE_FILES:
        path = workspace.folder / name
        if not path.exists():
            continue
        content = path.read_bytes()
        if name == RECIPE_FILE:
            parse_recipe(content)
        cid = store.put(CODEC_RAW, content)
        files.append(RecipeFile(path=name, size=len(content), cid=cid))
    if RECIPE_FILE not in [file.path for file in files]:
        raise UsageError(f"there is no {RECIPE_FILE} in {workspace.folder}")
    return store.put(CODEC_DAG_CBOR, encode_recipe(Recipe(files=tuple(files))))


def check_out(
    ctx: Context, workspace: Workspace, store: Store, head: Head, commit_id: CommitId
) -> None:
    """Writes a commit's weights and recipe into the workspace and moves HEAD there.

    HEAD moves last: whoever is cut off before it does all of this again.

    Args:
        ctx: shows progress.
        workspace: locked by the caller.
        store: where the blocks lie.
        head: the branch to be on.
        commit_id: to check out.
    """
    old = workspace.head()
    export_weights(
        manifest_of(store, commit_id),
        store,
        workspace.weights_path,
        progress=ctx.progress,
    )
    before: Mapping[str, bytes] = {}
    if old is not None and old.commit is not None:
        before = recipe_files(store, recipe_at(store, old.commit))
    for name, content in recipe_files(store, recipe_at(store, commit_id)).items():
        _place(workspace, name, content, before.get(name))
    workspace.set_head(Head(head.branch, commit_id))


def _place(
    workspace: Workspace, name: str, content: bytes, before: bytes | None
) -> None:
    path = workspace.folder / name
    there = path.read_bytes() if path.exists() else None
    if there == content or (before == content and there is not None):
        return
    if there is not None and there != before:
        # The user's own changes are put aside, never lost.
        write_text(path.with_name(f"{name}.mine"), there.decode("utf-8", "replace"))
    write_text(path, content.decode("utf-8", "strict"))
