"""Checks what a workspace keeps, and fetches again what is broken."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flair_client.context import Context
from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    FlairError,
    ObjectError,
    ObjectTooLarge,
    StoreUnavailable,
)
from flair_client.ids import Cid, Digest
from flair_client.objects import Manifest
from flair_client.porcelain.checkout import manifest_of
from flair_client.porcelain.form import takes_light
from flair_client.porcelain.fsck_files import (
    Fault,
    FaultKind,
    check_files,
    kept_commits,
)
from flair_client.porcelain.reachable import Kind, Need, links_of, reachable
from flair_client.progress import Progress
from flair_client.store.base import Store
from flair_client.store.disk import DiskStore
from flair_client.weights import read_safetensors
from flair_client.weights.light_form import light_digest
from flair_client.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found.

    Attributes:
        n_blocks: blocks whose digest was compared.
        n_bytes: of these blocks.
        n_commits: commits whose blocks were looked for.
        n_kept_aside: corrupt blocks in `.flair/objects/corrupt`.
        weights_differ: whether `weights.safetensors` is not the model at HEAD; None
            where that could not be told.
        faults: in the order of finding.
    """

    n_blocks: int
    n_bytes: int
    n_commits: int
    n_kept_aside: int
    weights_differ: bool | None
    faults: tuple[Fault, ...]

    @property
    def left(self) -> tuple[Fault, ...]:
        """The faults that were not repaired."""
        return tuple(fault for fault in self.faults if not fault.repaired)


@dataclass(slots=True)
class _Findings:
    """What was found so far; of a block it is told once."""

    ctx: Context
    cache: DiskStore
    repair: bool
    faults: list[Fault] = field(default_factory=list)
    told: set[Cid] = field(default_factory=set)

    def add_block(self, cid: Cid, what: str, kind: FaultKind, reason: str) -> bool:
        """Tells of a block; gives whether it could be fetched again."""
        can_help = kind is not FaultKind.MALFORMED
        repaired = can_help and self.repair and _fetch(self.ctx, self.cache, cid)
        if cid not in self.told:
            self.told.add(cid)
            label = f"block {cid}" + (f" ({what})" if what else "")
            self.faults.append(Fault(label, kind, reason, repaired))
        return repaired

    def read(self, need: Need) -> bytes | None:
        """The block of a need; None, and told of, where there is none."""
        for _ in range(2):
            try:
                return self.cache.get(need.cid)
            except FlairError as exc:
                if not self.add_block(need.cid, need.what, _kind(exc), _reason(exc)):
                    return None
        return None

    def links(self, need: Need) -> list[Need]:
        """What an object refers to; nothing where it cannot be read."""
        block = self.read(need)
        if block is None:
            return []
        try:
            return links_of(need, block)
        except ObjectError as exc:
            self.add_block(need.cid, need.what, FaultKind.MALFORMED, str(exc))
            return []


def fsck(ctx: Context, workspace: Workspace, *, repair: bool = False) -> Checked:
    """Checks blocks, what HEAD and the branches need, and the workspace's own files.

    Args:
        ctx: its shared store is asked only for repairs; the chain is not asked.
        workspace: any.
        repair: fetch broken and missing blocks; move damaged files aside.

    Raises:
        StoreUnavailable: a repair needs the shared store, which does not answer.
        StoreFull: no room for a repair.
    """
    with workspace.lock():
        cache = workspace.cache()
        findings = _Findings(ctx, cache, repair)
        n_blocks, n_bytes = _check_blocks(findings)
        findings.faults += check_files(ctx, workspace, repair=repair)
        starts = kept_commits(ctx, workspace)
        n_commits = _check_reachable(
            findings, starts, n_blocks, light=takes_light(workspace)
        )
        if repair:
            _drop_restored(cache)
        return Checked(
            n_blocks=n_blocks,
            n_bytes=n_bytes,
            n_commits=n_commits,
            n_kept_aside=len(_kept_aside(cache)),
            weights_differ=_weights_differ(ctx, workspace, cache),
            faults=tuple(findings.faults),
        )


def _check_blocks(findings: _Findings) -> tuple[int, int]:
    cids = list(findings.cache)
    n_bytes = 0
    with findings.ctx.progress.task("blocks", len(cids), "blocks") as task:
        for cid in cids:
            try:
                n_bytes += len(findings.cache.get(cid))
            except BlockMissing:
                # Another process may clear up meanwhile; what is needed is looked for.
                pass
            except (DigestMismatch, ObjectTooLarge, StoreUnavailable) as exc:
                findings.add_block(cid, "", _kind(exc), _reason(exc))
            task.advance(1)
    return len(cids), n_bytes


def _check_reachable(
    findings: _Findings, starts: Sequence[Need], n_blocks: int, *, light: bool
) -> int:
    n_commits = 0
    with findings.ctx.progress.task("history", n_blocks, "blocks") as task:
        for need in reachable(starts, findings.links):
            n_commits += need.kind is Kind.COMMIT
            if need.has_light and light:
                continue
            if need.kind is Kind.RAW and not findings.cache.has(need.cid):
                reason = "it is not in this workspace"
                findings.add_block(need.cid, need.what, FaultKind.MISSING, reason)
            task.advance(1)
    return n_commits


def _kind(error: FlairError) -> FaultKind:
    if isinstance(error, BlockMissing):
        return FaultKind.MISSING
    if isinstance(error, DigestMismatch | ObjectTooLarge):
        return FaultKind.CORRUPT
    return FaultKind.DAMAGED


def _reason(error: FlairError) -> str:
    if isinstance(error, BlockMissing):
        return "it is not in this workspace"
    if isinstance(error, DigestMismatch):
        return f"its bytes have digest {error.actual}"
    if isinstance(error, ObjectTooLarge):
        return f"it has {error.size} bytes, at most {error.limit} are allowed"
    return str(error)


def _fetch(ctx: Context, cache: DiskStore, cid: Cid) -> bool:
    try:
        block = ctx.remote.get(cid)
    except (BlockMissing, DigestMismatch, ObjectTooLarge):
        return False
    cache.delete(cid)
    cache.put(cid.codec, block)
    return True


def _drop_restored(cache: DiskStore) -> None:
    """Removes corrupt blocks that were kept aside and are there again."""
    for path in _kept_aside(cache):
        there = cache.path / path.name[:2] / path.name
        if there.exists():
            path.unlink(missing_ok=True)


def _kept_aside(cache: DiskStore) -> list[Path]:
    folder = cache.path / "corrupt"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _weights_differ(
    ctx: Context, workspace: Workspace, cache: DiskStore
) -> bool | None:
    """Whether `weights.safetensors` is not the model at HEAD; None if unknown."""
    try:
        head = workspace.head()
        if head is None or head.commit is None:
            return None
        manifest = manifest_of(cache, head.commit)
    except FlairError:
        return None
    try:
        # In a light workspace either form will do.
        store = cache if takes_light(workspace) else None
        return not _is_file_of(manifest, workspace.weights_path, store, ctx.progress)
    except FlairError:
        return True


def _is_file_of(
    manifest: Manifest, path: Path, light_store: Store | None, progress: Progress
) -> bool:
    total = sum(entry.n_bytes for entry in manifest.tensors)
    with (
        read_safetensors(path) as file,
        progress.task("weights", total, "bytes") as task,
    ):
        spans = {(s.name, s.dtype, s.shape) for s in file.header.spans.values()}
        if spans != {(e.name, e.dtype, e.shape) for e in manifest.tensors}:
            return False
        for entry in manifest.tensors:
            raw = file.tensor(entry.name)
            digest = Digest(hashlib.sha256(raw).digest())
            if digest != entry.digest and not (
                light_store is not None
                and entry.light is not None
                and digest == light_digest(entry, light_store)
            ):
                return False
            task.advance(len(raw))
    return True
