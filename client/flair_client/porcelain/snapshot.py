"""Snapshots: weights from elsewhere, or a new recipe, as the next commit of a branch.

Only whoever may move the branch makes them. A round in progress ends without a merge.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from flair_client.context import Context
from flair_client.encoding import commit_id as id_of
from flair_client.encoding import encode_commit, encode_event_list, sign_commit
from flair_client.errors import StaleBase, UsageError, WorkspaceError
from flair_client.history.events import events_for_commit
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_DAG_CBOR, Cid, CommitId
from flair_client.objects import (
    Commit,
    CommitKind,
    Manifest,
    TensorEncodingId,
    TensorEntry,
)
from flair_client.porcelain.advance import live_round, require_right_to_advance
from flair_client.porcelain.checkout import (
    blocks_of,
    manifest_of,
    put_manifest,
    put_recipe,
    recipe_at,
)
from flair_client.porcelain.commit import PENDING
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.transfer import blocks_of_commit
from flair_client.store.base import Store
from flair_client.training.recipe import parse_recipe
from flair_client.weights import FingerprintCache, import_weights, roles_by_pattern
from flair_client.weights.light_form import (
    light_digest,
    with_light_form,
    without_light_form,
)
from flair_client.workspace import RECIPE_FILE, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshotted:
    """A signed snapshot, and what of it would leave the machine.

    Attributes:
        base: the head that it is made on.
        n_changed: tensors that are new, gone, or not as in the base.
        recipe_changed: whether it brings another recipe than the one in force.
        n_bytes, n_blocks: of what a push sends and the base does not bring.
        live_round: the round that a push would end without a merge; None without one.
    """

    commit: CommitId
    branch: str
    base: CommitId
    n_changed: int
    n_tensors: int
    recipe_changed: bool
    n_bytes: int
    n_blocks: int
    live_round: int | None


def commit_snapshot(
    ctx: Context, workspace: Workspace, *, message: str, weights: Path | None = None
) -> Snapshotted:
    """Signs the weights of a file, and the workspace's recipe, as the next head.

    Tensors that are as in the base keep their exact integers.

    Args:
        ctx: with the wallet of the owner, or of a holder of the role `administer`.
        workspace: stands at the branch's head.
        message: what was done.
        weights: a safetensors file; without one the workspace's.

    Raises:
        Refused: the wallet may not move the branch.
        StaleBase: HEAD is not the branch's head.
        WorkspaceError: nothing changed.
        UsageError: the policy is for another number of shared values.
        NotFinite: NaN or infinity; names the tensor.
        ObjectInvalid: weights or recipe are malformed.
    """
    with workspace.lock():
        head = workspace.head()
        if head is None or head.commit is None:
            raise WorkspaceError("nothing was checked out here yet")
        place = find_repo(ctx, workspace.repo()).branch(head.branch)
        require_right_to_advance(place)
        if place.account.head_commit != head.commit:
            raise StaleBase(
                f"HEAD is {head.commit.short}, the branch is at "
                f"{place.account.head_commit.short}"
            )
        store = blocks_of(ctx, workspace)
        base = manifest_of(store, head.commit)
        with store.batch():
            manifest = _import(
                ctx, workspace, store, base, weights or workspace.weights_path
            )
            recipe = put_recipe(store, workspace)
            is_new_recipe = recipe != recipe_at(store, head.commit)
            n_changed = _count_changed(base, manifest)
            if not n_changed and not is_new_recipe:
                raise WorkspaceError(
                    f"weights and recipe are those of {head.commit.short}: "
                    "there is nothing to commit"
                )
            _check_policy(place, manifest)
            commit_id = _sign(
                *(ctx, store, place, head.commit, manifest),
                recipe=recipe if is_new_recipe else None,
                message=message,
            )
        workspace.set_marker(PENDING, {"kind": "snapshot", "commit": str(commit_id)})
        blocks = list(blocks_of_commit(store, commit_id))
    return Snapshotted(
        commit=commit_id,
        branch=place.account.name,
        base=head.commit,
        n_changed=n_changed,
        n_tensors=len(manifest.tensors),
        recipe_changed=is_new_recipe,
        n_bytes=sum(one.size for one in blocks),
        n_blocks=len(blocks),
        live_round=live_round(place),
    )


def _import(
    ctx: Context, workspace: Workspace, store: Store, base: Manifest, path: Path
) -> Manifest:
    if not workspace.recipe_path.exists():
        raise UsageError(f"there is no {RECIPE_FILE} in {workspace.folder}")
    recipe = parse_recipe(workspace.recipe_path.read_bytes())
    imported = import_weights(
        path,
        store,
        roles_by_pattern(recipe.roles),
        cache=FingerprintCache(workspace.state_folder / "fingerprints"),
        progress=ctx.progress,
    )
    before = base.by_name()
    tensors = tuple(
        _kept(before.get(entry.name), entry, store) or entry
        for entry in imported.tensors
    )
    is_fixed = any(entry.encoding is TensorEncodingId.FIXED for entry in tensors)
    scale_exp = base.scale_exp if is_fixed else None
    manifest = replace(imported, tensors=tensors, scale_exp=scale_exp)
    if not recipe.int8_base:
        return without_light_form(manifest)
    return with_light_form(manifest, store, progress=ctx.progress)


def _kept(
    before: TensorEntry | None, now: TensorEntry, store: Store
) -> TensorEntry | None:
    """The base's entry where the tensor is the same: floats would lose its integers.

    A tensor that comes back as its light form gives it was not changed either.
    """
    if before is None or _state(before)[:-1] != _state(now)[:-1]:
        return None
    is_same = before.digest == now.digest
    if not is_same and before.light is not None:
        is_same = light_digest(before, store) == now.digest
    return before if is_same else None


def _state(entry: TensorEntry) -> tuple[object, ...]:
    return entry.name, entry.dtype, entry.shape, entry.role, entry.digest


def _count_changed(base: Manifest, manifest: Manifest) -> int:
    before, after = ({_state(entry) for entry in m.tensors} for m in (base, manifest))
    return len({state[0] for state in before ^ after})


def _check_policy(place: BranchTarget, manifest: Manifest) -> None:
    """Refuses what no later update could be made for."""
    index = place.account.policy_index
    wanted = place.policy(index).params.n_params
    n_values = _n_shared(manifest.tensors)
    if n_values != wanted:
        raise UsageError(
            f"the weights have {n_values} shared values, policy {index} of the branch "
            f"is for {wanted}"
        )


def _n_shared(entries: Iterable[TensorEntry]) -> int:
    return sum(entry.n_values for entry in entries if entry.role.is_shared)


def _sign(
    ctx: Context,
    store: Store,
    place: BranchTarget,
    base: CommitId,
    manifest: Manifest,
    *,
    recipe: Cid | None,
    message: str,
) -> CommitId:
    parent = read_commit(store, base)
    events = events_for_commit(ctx.chain, store, place.repo.address, parent)
    unsigned = Commit(
        kind=CommitKind.SNAPSHOT,
        repo=place.repo.address,
        branch=place.account.name,
        parents=(base,),
        author=ctx.wallet.address,
        message=message,
        time=ctx.now(),
        weights=put_manifest(store, manifest),
        recipe=recipe,
        events=store.put(CODEC_DAG_CBOR, encode_event_list(events)),
    )
    block = encode_commit(sign_commit(unsigned, ctx.wallet.address, ctx.wallet.sign))
    store.put(CODEC_DAG_CBOR, block)
    return id_of(block)
