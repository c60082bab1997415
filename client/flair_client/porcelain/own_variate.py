"""SCAFFOLD's correction for one round, and the variate behind it; no verb itself.

A contributor's variate is kept beside the merge that it holds for, so that the next
training looks at newer merges alone. It is never sent. Only merged updates move it: one
that was rejected, taken back or never pushed leaves no trace in it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.arithmetic import FloatArray, bytes_from_values, values_from_bytes
from flair_client.context import Context
from flair_client.errors import ObjectInvalid
from flair_client.history.graph import read_commit
from flair_client.history.merge_state import state_before
from flair_client.history.variates import OwnLine, own_line, own_tensor, server_tensor
from flair_client.ids import Address, CommitId
from flair_client.objects import DType, Role, TensorEntry
from flair_client.porcelain.trained import Given
from flair_client.strategies import choice_of
from flair_client.strategies.parameters import ONE_Q48
from flair_client.strategies.scaffold import RATE, Scaffold
from flair_client.training.correction import Correction
from flair_client.training.framework import load_values
from flair_client.weights import SafetensorsFile, TensorSpan, read_safetensors
from flair_client.weights.foreign import ForeignWeights, TensorSource, save_foreign
from flair_client.workspace import Workspace

_MARKER: Final = "variates"
_N_KEPT: Final = 2
_FILE: Final = "correction.safetensors"


@dataclass(frozen=True, slots=True)
class CorrectionFile:
    """What is added to gradients in this round.

    Attributes:
        path: safetensors file of `c - c_i`, float64, of the trained tensors.
        rate: local steps times their learning rate, by the policy.
    """

    path: Path
    rate: float

    def take(self) -> Correction:
        """Reads it as arrays; the file goes."""
        values = load_values(self.path, {}, "")
        self.path.unlink()
        return Correction(self.rate, values)


def correction_file(
    ctx: Context, workspace: Workspace, given: Given
) -> CorrectionFile | None:
    """Writes the correction for training from HEAD; the caller holds the lock.

    Args:
        ctx: with the contributor's wallet, which says whose updates are its own;
            nothing is signed.
        workspace: where the variate is kept.
        given: what training starts from.

    Returns:
        None where the policy has another strategy, or the round collects statistics.

    Raises:
        WalletError: there is no wallet.
        BlockMissing, StoreUnavailable: an update of before cannot be read.
    """
    choice = choice_of(given.terms.policy.params)
    if choice.strategy.id != Scaffold.id or given.terms.is_statistics:
        return None
    store, base = given.store, given.terms.base
    state = state_before(store, read_commit(store, base), choice.strategy)
    entries = [e for e in given.manifest.tensors if e.role is Role.TRAIN]
    path = workspace.state_folder / "scratch" / _FILE
    path.parent.mkdir(exist_ok=True)
    own = _bring_up(ctx, workspace, given, entries)
    with read_safetensors(own) as file:

        def value(entry: TensorEntry) -> FloatArray:
            return server_tensor(store, state, entry) - _read(file, entry)

        _write(path, entries, value)
    return CorrectionFile(path, choice.params[RATE] / ONE_Q48)


def _bring_up(
    ctx: Context, workspace: Workspace, given: Given, entries: list[TensorEntry]
) -> Path:
    """Works the contributor's variate out for HEAD, from what is kept of before."""
    base, contributor = given.terms.base, ctx.contributor
    kept = _kept(workspace, contributor)
    there = [one for one in kept if _fits(_path(workspace, one), entries)]
    line = own_line(given.store, base, contributor, there)
    path = _path(workspace, base)
    if line.since != base:
        path.parent.mkdir(exist_ok=True)
        _advance(workspace, given, line, entries, path)
    _keep(workspace, contributor, [*(one for one in there if one != base), base])
    return path


def _advance(
    workspace: Workspace,
    given: Given,
    line: OwnLine,
    entries: list[TensorEntry],
    path: Path,
) -> None:
    with ExitStack() as stack:
        begun: SafetensorsFile | None = None
        if line.since is not None:
            old = read_safetensors(_path(workspace, line.since))
            begun = stack.enter_context(old)

        def value(entry: TensorEntry) -> FloatArray:
            values = None if begun is None else _read(begun, entry)
            return own_tensor(given.store, line, entry, values)

        _write(path, entries, value)


def _write(
    path: Path, entries: list[TensorEntry], value: Callable[[TensorEntry], FloatArray]
) -> None:
    """Writes a file of float64, a tensor at a time: whole, or not at all."""

    def chunks(entry: TensorEntry) -> Iterator[bytes]:
        yield bytes_from_values(value(entry), DType.F64)

    sources = tuple(
        TensorSource(e.name, DType.F64, e.shape, lambda e=e: chunks(e))  # type: ignore[misc]
        for e in entries
    )
    save_foreign(path, ForeignWeights(sources))


def _read(file: SafetensorsFile, entry: TensorEntry) -> FloatArray:
    values = values_from_bytes(file.tensor(entry.name), DType.F64)
    return values.astype("float64").reshape(entry.shape)


def _fits(path: Path, entries: list[TensorEntry]) -> bool:
    """Whether a file is there and holds what the model has now."""
    if not path.is_file():
        return False
    with read_safetensors(path) as file:
        spans: Mapping[str, TensorSpan] = file.header.spans
        there = {name: (one.dtype, one.shape) for name, one in spans.items()}
    return there == {e.name: (DType.F64, e.shape) for e in entries}


def _kept(workspace: Workspace, contributor: Address) -> list[CommitId]:
    marker = workspace.marker(_MARKER) or {}
    # Another person in the same clone has variates of its own.
    if marker.get("contributor") != str(contributor):
        return []
    heads = marker.get("heads", [])
    if not isinstance(heads, list):
        raise ObjectInvalid(_MARKER, "is no list of commits")
    return [CommitId.parse(str(one)) for one in heads]


def _keep(workspace: Workspace, contributor: Address, heads: list[CommitId]) -> None:
    """Writes down what is there, after the files; older ones go."""
    newest = [str(one) for one in heads[-_N_KEPT:]]
    workspace.set_marker(_MARKER, {"contributor": str(contributor), "heads": newest})
    for path in (workspace.state_folder / _MARKER).iterdir():
        if path.stem not in newest:
            path.unlink()


def _path(workspace: Workspace, head: CommitId) -> Path:
    return workspace.state_folder / _MARKER / f"{head}.safetensors"
