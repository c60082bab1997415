"""Writes the weights of a commit as a safetensors file."""

from dataclasses import dataclass
from pathlib import Path

from flair_client.context import Context
from flair_client.errors import OutputExists
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId, Digest
from flair_client.objects import CommitKind
from flair_client.porcelain.checkout import blocks_of, manifest_of
from flair_client.porcelain.refs import resolve, verified_commits
from flair_client.weights import digest_of_file, export_weights
from flair_client.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Exported:
    """A file of weights.

    Attributes:
        sha256: of the file; for a root that of the file that was published.
        verified: whether the commit was found right on this machine.
    """

    commit: CommitId
    kind: CommitKind
    file: Path
    n_bytes: int
    sha256: Digest
    verified: bool


def export(
    ctx: Context,
    workspace: Workspace,
    ref: str | None = None,
    file: Path | None = None,
    *,
    replace: bool = False,
) -> Exported:
    """Writes a commit's weights: whole, or not at all.

    Args:
        ctx: fetches blocks that are not here.
        workspace: a clone.
        ref: a commit; without one that of HEAD.
        file: without one `NAME-COMMIT.safetensors` in the current folder.
        replace: whether a file that is there may be replaced.

    Raises:
        OutputExists: the file is there and may not be replaced.
        RefUnknown: no such commit.
        UsageError: the commit is an update, or the file cannot be written.
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
    """
    store = blocks_of(ctx, workspace)
    commit_id = resolve(workspace, store, ref)
    path = file
    if path is None:
        path = Path(f"{workspace.repo().name}-{commit_id.short}.safetensors")
    if path.exists() and not replace:
        raise OutputExists(f"{path} exists already")
    manifest = manifest_of(store, commit_id)
    export_weights(manifest, store, path, progress=ctx.progress)
    return Exported(
        commit=commit_id,
        kind=read_commit(store, commit_id).kind,
        file=path,
        n_bytes=path.stat().st_size,
        sha256=digest_of_file(path),
        verified=commit_id in verified_commits(workspace),
    )
