"""From a commit to the files of a workspace; used by several verbs, no verb itself."""

from collections.abc import Mapping
from typing import Final

from flair_client.config_file import write_text
from flair_client.context import Context
from flair_client.encoding import (
    decode_recipe,
    encode_manifest,
    encode_recipe,
)
from flair_client.errors import ObjectInvalid, ObjectTooLarge, UsageError
from flair_client.history.graph import manifest_of as manifest_of  # noqa: PLC0414 - handed on
from flair_client.history.graph import walk
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid, CommitId
from flair_client.objects import Manifest, Recipe, RecipeFile
from flair_client.porcelain.form import Fetched, is_light, takes_light
from flair_client.store.base import Store
from flair_client.store.layered import LayeredStore
from flair_client.training.recipe import (
    MAX_CODE_BYTES,
    MAX_RECIPE_BYTES,
    MODEL_FILE,
    TRAIN_FILE,
    TrainingRecipe,
    parse_recipe,
)
from flair_client.weights import export_weights
from flair_client.workspace import CARD_FILE, RECIPE_FILE, Head, Workspace

# Nothing else is written next to the user's own files, whatever a recipe lists.
RECIPE_FILES: Final = (CARD_FILE, RECIPE_FILE, MODEL_FILE, TRAIN_FILE)
_MAX_BYTES: Final = {
    CARD_FILE: MAX_RECIPE_BYTES,
    RECIPE_FILE: MAX_RECIPE_BYTES,
    MODEL_FILE: MAX_CODE_BYTES,
    TRAIN_FILE: MAX_CODE_BYTES,
}


def blocks_of(ctx: Context, workspace: Workspace) -> LayeredStore:
    """The workspace's own blocks in front of the shared store."""
    return LayeredStore(workspace.cache(), ctx.remote)


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
        ObjectInvalid: it has a file that no recipe has, one of another size, or one
            that is no text in UTF-8.
        ObjectTooLarge: a file is longer than it may be.
    """
    files = {}
    for file in decode_recipe(store.get(recipe)).files:
        if file.path not in RECIPE_FILES:
            raise ObjectInvalid("recipe.files", f"{file.path!r} has no place in one")
        limit = _MAX_BYTES[file.path]
        if file.size > limit:
            raise ObjectTooLarge(f"recipe file {file.path}", file.size, limit)
        content = store.get(file.cid, max_size=limit)
        if len(content) != file.size:
            raise ObjectInvalid("recipe.files", f"{file.path!r} has another size")
        files[file.path] = content
    _check_files(files)
    return files


def _check_files(files: Mapping[str, bytes]) -> None:
    if RECIPE_FILE not in files:
        raise ObjectInvalid("recipe.files", f"{RECIPE_FILE} is missing")
    for name, content in files.items():
        if len(content) > _MAX_BYTES[name]:
            raise ObjectTooLarge(f"recipe file {name}", len(content), _MAX_BYTES[name])
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise ObjectInvalid(f"recipe file {name}", "is no text in UTF-8") from exc


def code_files(recipe: TrainingRecipe) -> tuple[str, ...]:
    """The files of code that a recipe needs; other Python files beside it are not its.

    A model's class alone may be there for programs that train it themselves.
    """
    needed = {recipe.model_class.partition(":")[0]}
    if recipe.has_code:
        named = (recipe.entry, recipe.evaluation, TRAIN_FILE.replace(".py", ":"))
        needed |= {one.partition(":")[0] for one in named}
    return tuple(
        name for name in (MODEL_FILE, TRAIN_FILE) if name.removesuffix(".py") in needed
    )


def training_recipe(store: Store, recipe: Cid) -> TrainingRecipe:
    """Reads what a recipe's `flair.toml` says."""
    return parse_recipe(recipe_files(store, recipe)[RECIPE_FILE])


def put_recipe(store: Store, workspace: Workspace) -> Cid:
    """Puts the recipe that lies in the workspace.

    Raises:
        UsageError: there is no `flair.toml`, or code that it names is not there.
        ObjectInvalid, ObjectTooLarge: a file is malformed or too long.
    """
    contents = workspace_recipe(workspace)
    files = [
        RecipeFile(path=name, size=len(content), cid=store.put(CODEC_RAW, content))
        for name, content in sorted(contents.items())
    ]
    return store.put(CODEC_DAG_CBOR, encode_recipe(Recipe(files=tuple(files))))


def workspace_recipe(workspace: Workspace) -> dict[str, bytes]:
    """Reads the files of the recipe that lies in the workspace.

    Raises:
        As `put_recipe`.
    """
    if not workspace.recipe_path.exists():
        raise UsageError(f"there is no {RECIPE_FILE} in {workspace.folder}")
    recipe = parse_recipe(workspace.recipe_path.read_bytes())
    files = {}
    for name in (CARD_FILE, RECIPE_FILE, *code_files(recipe)):
        path = workspace.folder / name
        if path.exists():
            files[name] = path.read_bytes()
        elif name != CARD_FILE:
            raise UsageError(f"{RECIPE_FILE} names code in {name}, which is not there")
    _check_files(files)
    return files


def check_out(
    ctx: Context,
    workspace: Workspace,
    store: Store,
    head: Head,
    commit_id: CommitId,
    *,
    light: bool | None = None,
) -> None:
    """Writes a commit's weights and recipe into the workspace and moves HEAD there.

    HEAD moves last: whoever is cut off before it does all of this again.

    Args:
        ctx: shows progress.
        workspace: locked by the caller.
        store: where the blocks lie.
        head: the branch to be on.
        commit_id: to check out.
        light: whether to take the light form; without it as the workspace does.
    """
    old = workspace.head()
    manifest = manifest_of(store, commit_id)
    recipe = training_recipe(store, recipe_at(store, commit_id))
    export_weights(
        manifest,
        store,
        workspace.weights_path,
        takes_light=is_light(
            recipe, manifest, takes_light(workspace) if light is None else light
        ),
        progress=ctx.progress,
    )
    before: Mapping[str, bytes] = {}
    if old is not None and old.commit is not None:
        before = recipe_files(store, recipe_at(store, old.commit))
    now = recipe_files(store, recipe_at(store, commit_id))
    for name, content in now.items():
        _place(workspace, name, content, before.get(name))
    for name in before.keys() - now.keys():
        _remove(workspace, name, before[name])
    workspace.set_head(Head(head.branch, commit_id))


def fetched_now(
    workspace: Workspace, store: LayeredStore, commit_id: CommitId
) -> Fetched:
    """What a store fetched so that a commit could be checked out."""
    manifest = manifest_of(store, commit_id)
    recipe = training_recipe(store, recipe_at(store, commit_id))
    return Fetched(
        store.n_fetched,
        store.n_bytes_fetched,
        sum(entry.n_bytes for entry in manifest.tensors),
        is_light(recipe, manifest, takes_light(workspace)),
    )


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


def _remove(workspace: Workspace, name: str, before: bytes) -> None:
    """Removes a file that the recipe has no more; the user's own stays."""
    path = workspace.folder / name
    if path.exists() and path.read_bytes() == before:
        path.unlink()
