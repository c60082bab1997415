"""Compares the weights of two commits, tensor by tensor."""

import math
from dataclasses import dataclass

from flair_client.history.diff import Change, TensorDiff, diff_weights
from flair_client.ids import CommitId
from flair_client.porcelain.checkout import manifest_of
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
    before: str,
    after: str,
    *,
    progress: Progress = NO_PROGRESS,
) -> Diff:
    """Compares two commits; equal tensors are not read.

    Args:
        reading: where commits lie.
        before: names the earlier one.
        after: names the later one.
        progress: counts tensors.

    Raises:
        RefUnknown: there is no such commit.
        UsageError: one of them is an update, which has no weights.
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
    """
    old, new = reading.resolve(before), reading.resolve(after)
    states = manifest_of(reading.store, old), manifest_of(reading.store, new)
    found: list[TensorDiff] = []
    with progress.task("compare", len(states[1].tensors), "tensors") as task:
        for one in diff_weights(reading.store, *states):
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
