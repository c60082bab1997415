"""The weights of a merge by a method, tensor by tensor, part by part.

Whoever makes a merge and whoever verifies it run this same function. Memory holds one
part (2^18 values) of the same tensor of each model; TIES holds one whole tensor of one
model as well, to find its largest changes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from flair_client.arithmetic import FRACTION_BITS, FloatArray, count_not_finite
from flair_client.errors import NotFinite
from flair_client.merging.base import TensorInput, TensorStream
from flair_client.merging.form import Side, require_same_form, require_same_integers
from flair_client.merging.methods import get_method
from flair_client.merging.spec import MergeSpec
from flair_client.merging.writing import ExactWriter, FloatWriter
from flair_client.objects import Manifest, TensorEncodingId, TensorEntry
from flair_client.progress import NO_PROGRESS, Progress, Task
from flair_client.store.base import Store
from flair_client.weights.reading import fixed_parts, value_parts


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a merge is made from.

    Attributes:
        form: the head that the merge is made on: its roles, scale and header are kept,
            whether it is one of the models or not.
        models: in the order of the spec.
        base: what changes are counted from.
    """

    form: Side
    models: tuple[Side, ...]
    base: Side | None = None


def merge_models(
    store: Store,
    spec: MergeSpec,
    inputs: Inputs,
    store_out: Store,
    *,
    progress: Progress = NO_PROGRESS,
) -> Manifest:
    """The weights after a merge: each tensor of floats by the method.

    Tensors of integers are those of the models, which must agree. A tensor of a shared
    role is exact integers where the form, or any model, has a scale. A tensor that is
    the same in all models (and in the base) stays as it is, where the method says so.

    Args:
        store: where the blocks of all models lie.
        spec: checked.
        inputs: as the spec names them.
        store_out: takes the new blocks.
        progress: counts bytes.

    Returns:
        The manifest, not put into the store.

    Raises:
        ModelsDiffer: two sides have other tensors, or other integers; names both.
        NotFinite: a model holds NaN or infinity; names it.
        OutOfRange: a merged value has no float of its dtype, or no 64-bit integer.
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
    """
    base = () if inputs.base is None else (inputs.base,)
    require_same_form(store, inputs.form, (*inputs.models, *base))
    require_same_integers(inputs.models)
    form = inputs.form.manifest
    scale_exp = _scale_exp(inputs)
    merge = _Merge(store, spec, inputs, scale_exp, store_out)
    total = sum(entry.n_bytes for entry in form.tensors)
    with store_out.batch(), progress.task("merge", total, "bytes") as task:
        entries = [merge.tensor(entry, task) for entry in form.tensors]
    any_fixed = any(entry.encoding is TensorEncodingId.FIXED for entry in entries)
    return Manifest(
        tensors=tuple(entries),
        scale_exp=scale_exp if any_fixed else None,
        source=form.source,
    )


def _scale_exp(inputs: Inputs) -> int | None:
    """The form's, or the finest of the models'; None where all are floats."""
    if inputs.form.manifest.scale_exp is not None:
        return inputs.form.manifest.scale_exp
    scales = [side.manifest.scale_exp for side in inputs.models]
    return min((one for one in scales if one is not None), default=None)


class _Merge:
    """One merge; what its tensors have in common."""

    def __init__(
        self,
        store: Store,
        spec: MergeSpec,
        inputs: Inputs,
        scale_exp: int | None,
        store_out: Store,
    ) -> None:
        self._store = store
        self._spec = spec
        self._method = get_method(spec.method)
        self._form = inputs.form
        self._models = inputs.models
        self._base = inputs.base
        self._scale_exp = scale_exp
        self._store_out = store_out
        self._entries = {side.commit: side.manifest.by_name() for side in self._sides()}

    def _sides(self) -> tuple[Side, ...]:
        return (*self._models, *(() if self._base is None else (self._base,)))

    def tensor(self, form: TensorEntry, task: Task) -> TensorEntry:
        """The new entry of one tensor."""
        kept = self._kept(form)
        if kept is not None:
            task.advance(form.n_bytes)
            return kept
        tensor = self._input(form)
        is_exact = form.role.is_shared and self._scale_exp is not None
        writer: ExactWriter | FloatWriter = FloatWriter(form, self._store_out)
        if is_exact and self._scale_exp is not None:
            writer = ExactWriter(form, self._scale_exp, self._store_out)
        # What leaves the range of floats is refused where it is written.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            merge = self._method.plan(tensor)
            for models, base in _side_by_side(tensor):
                writer.write(merge(models, base))
                task.advance(models[0].size * form.dtype.item_size)
        return writer.finish()

    def _kept(self, form: TensorEntry) -> TensorEntry | None:
        """The entry that all models have, where the method gives it back."""
        sides = self._sides() if form.dtype.is_float else self._models
        first = self._entries[sides[0].commit][form.name]
        if form.dtype.is_float:
            if not self._method.keeps_equal(self._spec.params):
                return None
            states = {self._state(side, form.name) for side in sides}
            if len(states) > 1 or not self._fits(sides[0], first, form):
                return None
        own = self._form.manifest
        if (form.digest, form.fixed_digest) == (first.digest, first.fixed_digest) and (
            form.fixed_digest is None or own.scale_exp == self._scale_exp
        ):
            return form
        return replace(first, role=form.role, light=None) if not form.light else None

    def _state(self, side: Side, name: str) -> tuple[object, ...]:
        entry = self._entries[side.commit][name]
        is_fixed = entry.fixed_digest is not None
        scale_exp = side.manifest.scale_exp if is_fixed else None
        return entry.digest, entry.fixed_digest, scale_exp

    def _fits(self, side: Side, entry: TensorEntry, form: TensorEntry) -> bool:
        """Whether the entry has the encoding that the result is to have."""
        wanted = self._scale_exp if form.role.is_shared else None
        is_fixed = entry.fixed_digest is not None
        return wanted == (side.manifest.scale_exp if is_fixed else None)

    def _input(self, form: TensorEntry) -> TensorInput:
        return TensorInput(
            form.name,
            form.n_values,
            tuple(self._stream(side, form.name) for side in self._models),
            tuple(weight for _, weight in self._spec.models),
            None if self._base is None else self._stream(self._base, form.name),
            self._spec.params,
        )

    def _stream(self, side: Side, name: str) -> TensorStream:
        entry = self._entries[side.commit][name]

        def parts() -> Iterator[FloatArray]:
            return float_parts(side, entry, self._store)

        return TensorStream(side.commit, parts)


def float_parts(side: Side, entry: TensorEntry, store: Store) -> Iterator[FloatArray]:
    """The tensor's values in float64, flat, `N_PART` at a time.

    Exact integers give their own value, not that of the exported float.

    Raises:
        NotFinite: NaN or infinity; names the commit.
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
    """
    scale_exp = side.manifest.scale_exp
    if entry.encoding is TensorEncodingId.FIXED and scale_exp is not None:
        for fixed in fixed_parts(side.manifest, entry, scale_exp, store):
            yield np.ldexp(fixed.astype(np.float64), scale_exp - FRACTION_BITS)
        return
    for values in value_parts(side.manifest, entry, store):
        n_bad = count_not_finite(values)
        if n_bad:
            raise NotFinite(entry.name, n_bad, str(side))
        yield values.astype(np.float64)


def _side_by_side(
    tensor: TensorInput,
) -> Iterator[tuple[Sequence[FloatArray], FloatArray | None]]:
    streams = [model.parts() for model in tensor.models]
    if tensor.base is None:
        for together in zip(*streams, strict=True):
            yield together, None
        return
    for base, *models in zip(tensor.base.parts(), *streams, strict=True):
        yield models, base
