"""Writes the weights of a commit as a file, or as a folder that model hubs know."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.context import Context
from flair_client.errors import OutputExists, UsageError
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId, Digest
from flair_client.objects import CommitKind, Manifest
from flair_client.porcelain.base_file import scratch_folder
from flair_client.porcelain.checkout import blocks_of, manifest_of
from flair_client.porcelain.local_tensors import write_own
from flair_client.porcelain.refs import resolve, verified_commits
from flair_client.store.base import Store
from flair_client.weights import digest_of_file, export_weights
from flair_client.weights.opening import WeightsFormat, write_weights
from flair_client.workspace import Workspace

_BY_SUFFIX: Final = {
    ".npz": WeightsFormat.NPZ,
    ".pt": WeightsFormat.PT,
    ".pth": WeightsFormat.PT,
    ".bin": WeightsFormat.PT,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file of weights.

    Attributes:
        format: kind of the file.
        sha256: of the file; for a root, as safetensors, that of the published file.
        verified: whether the commit was found right on this machine.
    """

    commit: CommitId
    kind: CommitKind
    file: Path
    n_bytes: int
    sha256: Digest
    verified: bool
    format: WeightsFormat = WeightsFormat.SAFETENSORS


def export(
    ctx: Context,
    workspace: Workspace,
    ref: str | None = None,
    file: Path | None = None,
    *,
    weights_format: WeightsFormat | None = None,
    replace: bool = False,
    own: bool = False,
) -> Exported:
    """Writes a commit's weights: whole, or not at all.

    Args:
        ctx: fetches blocks that are not here.
        workspace: a clone.
        ref: a commit; without one that of HEAD.
        file: without one `NAME-COMMIT.safetensors` in the current folder.
        weights_format: kind of file; without it what the file's name says, or else
            safetensors.
        replace: whether a file that is there may be replaced.
        own: whether the tensors that stay in this clone, as the running statistics of
            batch norms, are those that were trained here last.

    Raises:
        OutputExists: the file is there and may not be replaced.
        RefUnknown: no such commit.
        UsageError: the commit is an update, or the file cannot be written; own tensors
            are asked for in another kind of file than safetensors.
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
        ExtraMissing: PyTorch is needed and not installed.
    """
    store = blocks_of(ctx, workspace)
    commit_id = resolve(workspace, store, ref)
    kind = weights_format or _kind_by_name(file)
    if own and kind is not WeightsFormat.SAFETENSORS:
        raise UsageError("own tensors are written into a safetensors file only")
    path = file
    if path is None:
        path = Path(f"{workspace.repo().name}-{commit_id.short}.{kind}")
    if path.exists() and not replace:
        raise OutputExists(f"{path} exists already")
    manifest = manifest_of(store, commit_id)
    if own:
        _write_own(ctx, workspace, manifest, store, path)
    else:
        write_weights(manifest, store, path, kind, progress=ctx.progress)
    return Exported(
        commit=commit_id,
        kind=read_commit(store, commit_id).kind,
        file=path,
        n_bytes=path.stat().st_size,
        sha256=digest_of_file(path),
        verified=commit_id in verified_commits(workspace),
        format=kind,
    )


def _write_own(
    ctx: Context,
    workspace: Workspace,
    manifest: Manifest,
    store: Store,
    path: Path,
) -> None:
    shared = scratch_folder(workspace) / "shared.safetensors"
    export_weights(manifest, store, shared, progress=ctx.progress)
    try:
        write_own(workspace, shared, path)
    finally:
        shared.unlink()


def _kind_by_name(file: Path | None) -> WeightsFormat:
    suffix = "" if file is None else file.suffix.lower()
    return _BY_SUFFIX.get(suffix, WeightsFormat.SAFETENSORS)
