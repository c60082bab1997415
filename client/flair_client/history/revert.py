"""Taking a merge back, or one contributor's term of it, exactly.

Later merges stay. None of this is unlearning: what later updates learned from a state
remains in them.
"""

import hashlib
from collections.abc import Iterator, Sequence

from flair_client.arithmetic import (
    Int16Array,
    IntArray,
    add_checked,
    scale_checked,
    subtract_checked,
)
from flair_client.delta import delta_parts
from flair_client.errors import NotSeparable, ObjectInvalid, TensorMismatch
from flair_client.history.merge import (
    has_scale,
    matching_tensor,
    part_streams,
    with_tensors,
)
from flair_client.objects import Delta, Manifest, TensorEntry
from flair_client.store.base import Store
from flair_client.strategies.base import Strategy
from flair_client.weights.reading import fixed_parts
from flair_client.weights.writing import FixedWriter

# A state that a tensor had: its manifest and its entry there.
_State = tuple[Manifest, TensorEntry]


def require_separable(strategy: Strategy) -> None:
    """Refuses to take one term out of a sum that is none.

    Raises:
        NotSeparable: the strategy is not linear.
    """
    if not strategy.linear:
        reason = "a merge by it has no term of one contributor"
        raise NotSeparable(f"strategy {strategy.id!r} is not linear: {reason}")


def revert_merge(  # noqa: PLR0917 - the order of the formula
    store: Store,
    head: Manifest,
    before: Manifest,
    after: Manifest,
    scale_exp: int,
    store_out: Store,
) -> Manifest:
    """The head without one merge: `M_head - (M_after - M_before)`, for any strategy.

    A tensor that comes out as it was before the merge gets that entry back, so that the
    revert of the last merge has exactly the weights digest of the commit before it.

    Args:
        store: where the blocks lie.
        head: weights of the head.
        before: weights of the merge's first parent.
        after: weights of the merge.
        scale_exp: of the merge's policy.
        store_out: takes the new blocks.

    Returns:
        The manifest, not put into the store.

    Raises:
        TensorMismatch: the three do not have the same shared tensors.
        OutOfRange: a difference leaves 64 bits, or the float's range.
        BlockMissing, DigestMismatch: a block is not there or not itself.
    """
    olds, news = before.by_name(), after.by_name()
    with store_out.batch():
        entries = []
        for entry in head.tensors:
            if not entry.role.is_shared:
                entries.append(entry)
                continue
            now = (head, entry)
            old = (before, _same_form(entry, olds.get(entry.name)))
            new = (after, _same_form(entry, news.get(entry.name)))
            if _is_same_state(now, new) and has_scale(*old, scale_exp):
                entries.append(old[1])
                continue
            stream = _without_merge(
                part_streams([now, old, new], scale_exp, store), entry.name
            )
            writer = FixedWriter(entry, scale_exp, store_out)
            entries.append(_write_or_find(writer, stream, (old, now), scale_exp))
    return with_tensors(head, entries, scale_exp)


def _without_merge(
    parts: Iterator[tuple[IntArray, ...]], name: str
) -> Iterator[tuple[IntArray, tuple[IntArray, IntArray]]]:
    for current, was, became in parts:
        step = subtract_checked(became, was, name)
        yield subtract_checked(current, step, name), (was, current)


def back_to(head: Manifest, then: Manifest) -> Manifest:
    """An earlier state of the same model, whole: frozen tensors too.

    Raises:
        TensorMismatch: the two do not have the same tensors in the same form.
    """
    olds = then.by_name()
    for entry in head.tensors:
        _same_form(entry, olds.pop(entry.name, None))
    for name, old in olds.items():
        raise TensorMismatch(name, "nothing", f"{old.dtype.value} {list(old.shape)}")
    return Manifest(tensors=then.tensors, scale_exp=then.scale_exp, source=head.source)


def revert_contributor(  # noqa: PLR0917 - the order of the formula
    store: Store,
    head: Manifest,
    weight: int,
    delta: Delta,
    lambda_: int,
    scale_exp: int,
    store_out: Store,
) -> Manifest:
    """The head without one update's term: `M_head - lambda * weight * delta`.

    Only for merges by a linear strategy: see `require_separable`.

    Args:
        store: where the blocks lie.
        head: weights of the head.
        weight: of the update in its merge.
        delta: of the update; validated.
        lambda_: of its merge.
        scale_exp: of its merge's policy.
        store_out: takes the new blocks.

    Returns:
        The manifest, not put into the store.

    Raises:
        TensorMismatch: the delta has other tensors than the head.
        ObjectInvalid: the delta has another scale.
        OutOfRange: a difference leaves 64 bits, or the float's range.
        BlockMissing, DigestMismatch: a block is not there or not itself.
    """
    if delta.scale_exp != scale_exp:
        reason = f"{delta.scale_exp}, the merge is at {scale_exp}"
        raise ObjectInvalid("delta.scale_exp", reason)
    tensors = delta.by_name()
    with store_out.batch():
        entries = []
        for entry in head.tensors:
            if not entry.role.is_shared:
                entries.append(entry)
                continue
            tensor = matching_tensor(entry, tensors.get(entry.name))
            stream = _without_term(
                fixed_parts(head, entry, scale_exp, store),
                delta_parts(tensor, delta.bits, store),
                lambda_ * weight,
                entry.name,
            )
            writer = FixedWriter(entry, scale_exp, store_out)
            now = (head, entry)
            entries.append(_write_or_find(writer, stream, (now,), scale_exp))
    return with_tensors(head, entries, scale_exp)


def _without_term(
    currents: Iterator[IntArray],
    deltas: Iterator[Int16Array],
    factor: int,
    name: str,
) -> Iterator[tuple[IntArray, tuple[IntArray]]]:
    for current, part in zip(currents, deltas, strict=True):
        term = scale_checked(part.astype("int64"), -factor, name)
        yield add_checked(current, term, name), (current,)


def _write_or_find(
    writer: FixedWriter,
    stream: Iterator[tuple[IntArray, tuple[IntArray, ...]]],
    candidates: Sequence[_State],
    scale_exp: int,
) -> TensorEntry:
    """Writes a state, or finds that one of the candidates is the same.

    Args:
        writer: takes the state.
        stream: parts of the state, each with the same parts of all candidates.
        candidates: preferred first.
        scale_exp: of the manifest that the entry will be in.
    """
    digests = [hashlib.sha256() for _ in candidates]
    for made, others in stream:
        writer.write(made)
        for digest, other in zip(digests, others, strict=True):
            digest.update(other.astype("<i8", copy=False).tobytes())
    entry = writer.finish()
    for (manifest, candidate), digest in zip(candidates, digests, strict=True):
        is_same = bytes(entry.fixed_digest or b"") == digest.digest()
        if is_same and has_scale(manifest, candidate, scale_exp):
            return candidate
    return entry


def _is_same_state(left: _State, right: _State) -> bool:
    (left_manifest, left_entry), (right_manifest, right_entry) = left, right
    fixed = (left_entry.fixed_digest, right_entry.fixed_digest)
    scales = (left_manifest.scale_exp, right_manifest.scale_exp)
    same_scale = fixed == (None, None) or scales[0] == scales[1]
    same_digests = left_entry.digest == right_entry.digest and fixed[0] == fixed[1]
    return same_scale and same_digests


def _same_form(entry: TensorEntry, other: TensorEntry | None) -> TensorEntry:
    expected = f"{entry.dtype.value} {list(entry.shape)} {entry.role.value}"
    if other is None:
        raise TensorMismatch(entry.name, expected, "nothing")
    actual = f"{other.dtype.value} {list(other.shape)} {other.role.value}"
    if actual != expected:
        raise TensorMismatch(entry.name, expected, actual)
    return other
