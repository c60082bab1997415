"""SCAFFOLD's control variate of one contributor, from the merges that it took part in.

By option II of the paper it moves with each merged update by `-(c + delta / rate)`: the
delta is published, `c` is the state of the merge that the update was made on. So it can
always be worked out again, it says nothing that the updates did not, and it holds the
noise that they carried.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from flair_client.arithmetic import FloatArray
from flair_client.delta import read_delta_tensor
from flair_client.encoding import decode_delta
from flair_client.errors import ObjectInvalid
from flair_client.history.graph import read_commit
from flair_client.history.merge_state import state_before
from flair_client.ids import Address, CommitId
from flair_client.objects import Commit, CommitKind, Delta, Manifest, TensorEntry
from flair_client.store.base import Store
from flair_client.strategies import get_strategy
from flair_client.strategies.parameters import ONE_Q48
from flair_client.strategies.scaffold import RATE, VARIATE, Scaffold, moved
from flair_client.weights import load_tensor

_STRATEGY = Scaffold.id


@dataclass(frozen=True, slots=True)
class OwnStep:
    """A merge with an update of the contributor in it.

    Attributes:
        rate: of its policy.
        server: the server's variate that the update was trained with; None for zeros.
        delta: of the update.
    """

    rate: float
    server: Manifest | None
    delta: Delta


@dataclass(frozen=True, slots=True)
class OwnLine:
    """How a contributor's variate came about.

    Attributes:
        since: a merge at which it is known; None where it begins with zeros.
        steps: what moved it from there on, oldest first.
    """

    since: CommitId | None
    steps: tuple[OwnStep, ...]


def own_line(
    store: Store, head: CommitId, contributor: Address, known: Collection[CommitId] = ()
) -> OwnLine:
    """Finds what moved a contributor's variate, up to a head.

    It begins with zeros where the server's does: after a root, a snapshot, a revert or
    a merge by another strategy.

    Args:
        store: where the blocks lie.
        head: of the branch.
        contributor: whose variate it is.
        known: heads at which its value is known already.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: a merge by the strategy has no rate.
    """
    steps: list[OwnStep] = []
    at = head
    while at not in known:
        commit = read_commit(store, at)
        if not _is_ours(commit):
            return OwnLine(None, tuple(reversed(steps)))
        before, *merged = commit.parents
        delta = _own_delta(store, merged, contributor)
        if delta is not None:
            base = read_commit(store, before)
            server = state_before(store, base, get_strategy(_STRATEGY))
            steps.append(OwnStep(_rate(commit), server, delta))
        at = before
    return OwnLine(at, tuple(reversed(steps)))


def own_tensor(
    store: Store, line: OwnLine, entry: TensorEntry, begun: FloatArray | None
) -> FloatArray:
    """One tensor of the contributor's variate at the end of its line.

    Args:
        store: where the blocks lie.
        line: from `own_line`.
        entry: the model's tensor.
        begun: its value at `line.since`; None for zeros.

    Raises:
        TensorMismatch: an update does not have it.
        BlockMissing, DigestMismatch: a block is not there or not itself.
    """
    variate = np.zeros(entry.shape) if begun is None else begun
    for step in line.steps:
        integers = read_delta_tensor(step.delta, entry.name, store)
        delta = np.ldexp(integers.astype(np.float64), step.delta.scale_exp)
        server = server_tensor(store, step.server, entry)
        variate = moved(variate, delta, step.rate, 1.0, server)
    return variate


def server_tensor(
    store: Store, state: Manifest | None, entry: TensorEntry
) -> FloatArray:
    """One tensor of the server's variate; zeros where there is none yet.

    Raises:
        ObjectInvalid: the state has no such tensor of this shape.
    """
    if state is None:
        return np.zeros(entry.shape)
    found = state.by_name().get(f"{VARIATE}/{entry.name}")
    if found is None or found.shape != entry.shape:
        raise ObjectInvalid("strategy_state", f"holds no variate of {entry.name!r}")
    return load_tensor(state, found, store).astype(np.float64)


def _is_ours(commit: Commit) -> bool:
    made_by = commit.strategy
    is_merge = commit.kind is CommitKind.MERGE and not commit.merges_models
    return is_merge and made_by is not None and made_by.id == _STRATEGY


def _rate(merge: Commit) -> float:
    params = {} if merge.strategy is None else merge.strategy.params
    if not params.get(RATE):
        raise ObjectInvalid("commit.strategy.params", f"{RATE} is missing")
    return params[RATE] / ONE_Q48


def _own_delta(
    store: Store, updates: Collection[CommitId], contributor: Address
) -> Delta | None:
    """The contributor's update among those of a merge; there is at most one."""
    for update in updates:
        commit = read_commit(store, update)
        if commit.delta is not None:
            delta = decode_delta(store.get(commit.delta))
            if delta.contributor == contributor:
                return delta
    return None
