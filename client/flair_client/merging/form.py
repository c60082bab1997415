"""Whether models can be merged: the same tensors, in name, dtype, shape and ties.

Every refusal names the tensor and both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flair_client.errors import ModelsDiffer
from flair_client.ids import CommitId
from flair_client.objects import Manifest, TensorEntry
from flair_client.store.base import Store
from flair_client.weights.exporting import header_of
from flair_client.weights.foreign import ties_of


@dataclass(frozen=True, slots=True)
class Side:
    """A state that takes part, and the commit that it is of."""

    commit: CommitId
    manifest: Manifest

    def __str__(self) -> str:
        return self.commit.short


def require_same_form(store: Store, first: Side, others: Sequence[Side]) -> None:
    """Refuses models that have other tensors than the first one.

    Args:
        store: where their headers lie, which say what is tied.
        first: what all are compared with.
        others: in the order in which they are looked at.

    Raises:
        ModelsDiffer: names the tensor and both sides.
        BlockMissing, DigestMismatch, ObjectInvalid: a header cannot be read.
    """
    ties = ties_of(header_of(first.manifest, store))
    ours = first.manifest.by_name()
    for other in others:
        theirs = other.manifest.by_name()
        their_ties = ties_of(header_of(other.manifest, store))
        for name in sorted(ties.keys() | their_ties.keys()):
            pair = _tie(name, ties, ours), _tie(name, their_ties, theirs)
            _require_same(name, (first, other), pair)
        for name in sorted(ours.keys() | theirs.keys()):
            pair = _words(ours.get(name)), _words(theirs.get(name))
            _require_same(name, (first, other), pair)


def require_same_integers(models: Sequence[Side]) -> None:
    """Refuses models whose tensors of integers differ: nothing lies between them.

    Raises:
        ModelsDiffer: names the tensor and both sides.
    """
    first, *others = models
    for other in others:
        theirs = other.manifest.by_name()
        for entry in first.manifest.tensors:
            if not entry.dtype.is_float:
                digests = entry.digest, theirs[entry.name].digest
                words = [
                    f"integers {str(one)[:12]} ({_words(entry)})" for one in digests
                ]
                _require_same(entry.name, (first, other), (words[0], words[1]))


def _require_same(name: str, sides: tuple[Side, Side], words: tuple[str, str]) -> None:
    if words[0] != words[1]:
        raise ModelsDiffer(
            name, f"{words[0]} as in {sides[0]}", f"{words[1]} in {sides[1]}"
        )


def _words(entry: TensorEntry | None) -> str:
    return "nothing" if entry is None else f"{entry.dtype.value} {list(entry.shape)}"


def _tie(name: str, ties: dict[str, str], entries: dict[str, TensorEntry]) -> str:
    if name in ties:
        return f"tied to {ties[name]!r}"
    return "a tensor of its own" if name in entries else "nothing"
