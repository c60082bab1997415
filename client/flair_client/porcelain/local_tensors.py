"""Tensors that stay with a contributor from round to round; no verb itself.

As the running statistics of batch norms: trained here, never sent. They are kept beside
the commit that they were trained on, so that training once more from the same commit
begins with the same values as the first time.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from flair_client.errors import ObjectInvalid, UsageError
from flair_client.ids import CommitId
from flair_client.objects import Manifest, Role
from flair_client.weights import SafetensorsFile, TensorSpan, read_safetensors
from flair_client.weights.foreign import (
    ForeignWeights,
    TensorSource,
    cut,
    save_foreign,
    ties_of,
)
from flair_client.workspace import Workspace

_MARKER: Final = "local"


def keep_local(
    workspace: Workspace, base: CommitId, update: Path, roles: Mapping[str, Role]
) -> None:
    """Keeps the local tensors of a file that was trained on a commit.

    The newest other commit's stay too; older ones go.
    """
    with read_safetensors(update) as file:
        spans = [
            span
            for span in file.header.spans.values()
            if roles[span.name] is Role.LOCAL
        ]
        if not spans:
            return
        folder = _folder(workspace)
        folder.mkdir(exist_ok=True)
        sources = tuple(_source(file, span) for span in spans)
        save_foreign(_path(workspace, str(base)), ForeignWeights(sources))
    before = [one for one in _kept(workspace) if one != str(base)][-1:]
    workspace.set_marker(_MARKER, {"bases": [*before, str(base)]})
    for path in folder.iterdir():
        if path.stem not in (*before, str(base)):
            path.unlink()


def check_published(update: Path, manifest: Manifest) -> None:
    """Refuses local tensors that are not the published ones, for training with noise.

    Steps with noise are counted by what one row changes. Tensors that other training
    made, in this run or before, hand on what they saw of other rows without noise.

    Raises:
        UsageError: names the first tensor that differs.
    """
    with read_safetensors(update) as file:
        for entry in manifest.tensors:
            if entry.role is not Role.LOCAL:
                continue
            if hashlib.sha256(file.tensor(entry.name)).digest() != entry.digest.raw:
                raise UsageError(
                    f"noise in the training does not cover the local tensor "
                    f"{entry.name!r}, which is not the published one"
                )


def write_base(
    workspace: Workspace, base: CommitId, weights: Path, target: Path
) -> None:
    """Writes a commit's weights with the contributor's own local tensors in them.

    Args:
        workspace: of the contributor.
        base: the commit.
        weights: safetensors file of it.
        target: replaced at the end.
    """
    bases = [one for one in _kept(workspace) if one != str(base)]
    _write_with(workspace, bases, weights, target)


def write_own(workspace: Workspace, weights: Path, target: Path) -> None:
    """Writes weights with the contributor's own local tensors, the newest, in them.

    Args:
        workspace: of the contributor.
        weights: safetensors file of a commit.
        target: replaced at the end.
    """
    _write_with(workspace, _kept(workspace), weights, target)


def _write_with(
    workspace: Workspace, bases: Sequence[str], weights: Path, target: Path
) -> None:
    with ExitStack() as stack:
        old = stack.enter_context(read_safetensors(weights))
        own = stack.enter_context(_own(workspace, bases, old))
        if own is None:
            shutil.copyfile(weights, target)
            return
        sources = tuple(
            _source(own if span.name in own.header.spans else old, span)
            for span in old.header.spans.values()
        )
        save_foreign(target, ForeignWeights(sources, ties_of(old.header)))


@contextmanager
def _own(
    workspace: Workspace, bases: Sequence[str], old: SafetensorsFile
) -> Iterator[SafetensorsFile | None]:
    """The newest local tensors that one of these commits gave."""
    path = _path(workspace, bases[-1]) if bases else None
    if path is None or not path.is_file():
        yield None
        return
    with read_safetensors(path) as file:
        yield file if _fits(file, old) else None


def _fits(own: SafetensorsFile, old: SafetensorsFile) -> bool:
    """Whether the model still has these tensors; the owner may have changed it."""
    theirs = old.header.spans
    return all(
        span.name in theirs
        and (span.dtype, span.shape)
        == (theirs[span.name].dtype, theirs[span.name].shape)
        for span in own.header.spans.values()
    )


def _source(file: SafetensorsFile, span: TensorSpan) -> TensorSource:
    return TensorSource(
        span.name, span.dtype, span.shape, lambda: cut(file.tensor(span.name))
    )


def _kept(workspace: Workspace) -> list[str]:
    bases = (workspace.marker(_MARKER) or {}).get("bases", [])
    if not isinstance(bases, list):
        raise ObjectInvalid(_MARKER, "is no list of commits")
    return [str(CommitId.parse(str(one))) for one in bases]


def _folder(workspace: Workspace) -> Path:
    return workspace.state_folder / "local"


def _path(workspace: Workspace, base: str) -> Path:
    return _folder(workspace) / f"{base}.safetensors"
