"""Compares the weights of two commits, tensor by tensor; they may be strangers."""

import math
from dataclasses import dataclass

from flair_client.history.diff import Change, TensorDiff, diff_weights
from flair_client.history.graph import manifest_of
from flair_client.ids import CommitId
from flair_client.porcelain.reading import Reading
from flair_client.progress import NO_PROGRESS, Progress


@dataclass(frozen=True, slots=True)
class Diff:
    """How two states differ.

    Attributes:
        before, after: the two commits.
        l2: length of the difference of all tensors that both have.
        max_abs: largest difference of one value of them.
        n_changed: tensors that differ, were added, removed or reshaped.
        tensors: in name order; equal ones too.
    """

    before: CommitId
    after: CommitId
    l2: float
    max_abs: float
    n_changed: int
    tensors: tuple[TensorDiff, ...]


def diff(
    reading: Reading,
    before: str | None,
    after: str | None,
    *,
    after_reading: Reading | None = None,
    progress: Progress = NO_PROGRESS,
) -> Diff:
    """Compares two commits; equal tensors are not read.

    Args:
        reading: where commits lie.
        before: names the earlier one; HEAD without it.
        after: names the later one; likewise.
        after_reading: where the later one lies, if elsewhere: in a fork, or another
            workspace. Tensors of the same name are compared.
        progress: counts tensors.

    Raises:
        RefUnknown: there is no such commit.
        UsageError: one of them is an update, which has no weights.
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
    """
    other = after_reading or reading
    old, new = reading.resolve(before), other.resolve(after)
    states = manifest_of(reading.store, old), manifest_of(other.store, new)
    found: list[TensorDiff] = []
    with progress.task("compare", len(states[1].tensors), "tensors") as task:
        for one in diff_weights(reading.store, *states, other.store):
            found.append(one)
            task.advance(1)
    return Diff(
        old,
        new,
        math.sqrt(math.fsum((one.l2 or 0.0) ** 2 for one in found)),
        max((one.max_abs or 0.0 for one in found), default=0.0),
        sum(one.change is not Change.SAME for one in found),
        tuple(found),
    )
