"""From new weights to the delta of an update; used by verbs, no verb itself."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flair_client.arithmetic import FloatArray, Int16Array, values_from_bytes
from flair_client.delta import DeltaTerms, validate_delta_header, write_delta
from flair_client.delta_integers import (
    DeltaPolicy,
    Difference,
    IntegerPlan,
    PlannedIntegers,
    plan_integers,
)
from flair_client.encoding import encode_delta
from flair_client.errors import TensorMismatch
from flair_client.ids import CODEC_DAG_CBOR, Address, Cid
from flair_client.objects import Manifest, Role, TensorEntry
from flair_client.porcelain.terms import Terms
from flair_client.privacy.noise import new_key
from flair_client.privacy.plan import ClippedPolicy, NoisePlan, NoisyIntegers
from flair_client.store.base import Store
from flair_client.weights import SafetensorsFile, read_safetensors, value_parts


@dataclass(frozen=True, slots=True)
class MadeDelta:
    """A delta in the store, and what became of the floats.

    Attributes:
        n_tensors: tensors that are not all zero, before noise.
        clipped: norm before clipping by what it is clipped to.
        zero_share: share of changed values that were rounded to zero.
    """

    cid: Cid
    n_tensors: int
    clipped: float
    zero_share: float


def make_delta(
    store: Store,
    terms: Terms,
    contributor: Address,
    base: Manifest,
    path: Path,
    *,
    noise: NoisePlan | None = None,
) -> MadeDelta:
    """Puts the delta between a file of new weights and the base, a tensor at a time.

    Args:
        store: has the base's blocks and takes the delta's.
        terms: of the update.
        contributor: who it belongs to.
        base: weights of the commit that it is made on.
        path: the new weights.
        noise: how much it is clipped and what noise it gets; without one it is only
            clipped to the policy's norm.

    Raises:
        TensorMismatch: other tensors than the base.
        NotFinite: NaN or infinity; names the tensor.
        ObjectInvalid: the file is no valid safetensors file, or was changed meanwhile.
    """
    params = terms.policy.params
    with read_safetensors(path) as file:
        check_same_tensors(base, file)
        differences = {
            entry.name: _difference(base, entry, file, store, terms)
            for entry in base.tensors
            if entry.role.is_shared
        }
        clipped = params if noise is None else _with_bound(params, noise.clip_sq)
        plan = plan_integers(differences, clipped)
        integers = _Counted(differences, clipped, plan)
        delta = write_delta(
            store,
            DeltaTerms(
                repo=terms.repo,
                branch=terms.branch,
                contributor=contributor,
                round_index=terms.round_index,
                base=terms.base,
                policy=terms.policy.digest,
                bits=params.bits,
                scale_exp=params.scale_exp,
            ),
            integers
            if noise is None
            else NoisyIntegers(
                integers, _sent_names(base, terms), params, noise, new_key()
            ),
        )
    validate_delta_header(delta, base, params)
    n_kept = sum(integers.n_not_zero.values())
    return MadeDelta(
        store.put(CODEC_DAG_CBOR, encode_delta(delta)),
        sum(n > 0 for n in integers.n_not_zero.values()),
        plan.norm / math.sqrt(clipped.norm_bound_sq),
        1 - n_kept / plan.n_changed if plan.n_changed else 0.0,
    )


class _Counted(PlannedIntegers):
    """Planned integers that remember how many of them are not zero."""

    def __init__(
        self,
        differences: Mapping[str, Difference],
        policy: DeltaPolicy,
        plan: IntegerPlan,
    ) -> None:
        super().__init__(differences, policy, plan)
        self.n_not_zero: dict[str, int] = {}

    def __getitem__(self, name: str) -> Int16Array:
        values = super().__getitem__(name)
        self.n_not_zero[name] = int(np.count_nonzero(values))
        return values


def _difference(
    base: Manifest,
    entry: TensorEntry,
    file: SafetensorsFile,
    store: Store,
    terms: Terms,
) -> Difference:
    if not is_sent(entry.role, is_statistics=terms.is_statistics):
        return Difference(entry.shape, None)

    def parts() -> Iterator[FloatArray]:
        raw = file.tensor(entry.name)
        at = 0
        for old in value_parts(base, entry, store):
            n_bytes = old.size * len(raw) // entry.n_values
            new = values_from_bytes(raw[at : at + n_bytes], entry.dtype)
            at += n_bytes
            yield new.astype(np.float64) - old.astype(np.float64)

    return Difference(entry.shape, parts)


def _with_bound(policy: DeltaPolicy, norm_bound_sq: int) -> DeltaPolicy:
    return ClippedPolicy(policy.bits, policy.scale_exp, policy.n_params, norm_bound_sq)


def _sent_names(base: Manifest, terms: Terms) -> frozenset[str]:
    return frozenset(
        entry.name
        for entry in base.tensors
        if is_sent(entry.role, is_statistics=terms.is_statistics)
    )


def is_sent(role: Role, *, is_statistics: bool) -> bool:
    """Round 0 carries the averaged tensors alone, later rounds the trained ones."""
    return role is (Role.AVERAGE if is_statistics else Role.TRAIN)


def check_same_tensors(base: Manifest, file: SafetensorsFile) -> None:
    """Refuses a file whose tensors are not those of the base.

    Raises:
        TensorMismatch: names the first one that differs, and both.
    """
    spans = file.header.spans
    expected = base.by_name()
    for name in sorted(expected.keys() | spans.keys()):
        ours, theirs = expected.get(name), spans.get(name)
        wanted = "nothing" if ours is None else _described(ours.dtype, ours.shape)
        got = "nothing" if theirs is None else _described(theirs.dtype, theirs.shape)
        if wanted != got:
            raise TensorMismatch(name, wanted, got)


def _described(dtype: Any, shape: tuple[int, ...]) -> str:
    return f"{dtype} {list(shape)}"
