"""Which role each tensor of a new model should have, with the reason, as patterns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from math import prod
from typing import Final

from flair_client.errors import ObjectInvalid
from flair_client.objects import DType, Role
from flair_client.weights.roles import RoleOf
from flair_client.weights.safetensors_file import TensorSpan

# As a recipe takes them (`training.recipe`).
_MAX_PATTERN: Final = 128
# What PyTorch calls the statistics of its batch norms.
_NORM_NAMES: Final = ("*running_mean", "*running_var")
_SPECIAL: Final = "*?["


class TensorKind(StrEnum):
    """What a framework says a tensor is."""

    PARAMETER = "parameter"
    FIXED = "parameter that is not trained"
    NORM = "statistics of a norm"
    BUFFER = "buffer"


_ROLE_OF_KIND: Final[Mapping[TensorKind, Role]] = {
    TensorKind.PARAMETER: Role.TRAIN,
    TensorKind.FIXED: Role.FROZEN,
    TensorKind.NORM: Role.LOCAL,
    TensorKind.BUFFER: Role.LOCAL,
}


@dataclass(frozen=True, slots=True)
class RoleProposal:
    """A tensor and what should happen to it in a round.

    Attributes:
        reason: why, in a few words.
        tied: its other names.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    role: Role
    reason: str
    tied: tuple[str, ...] = ()

    @property
    def n_values(self) -> int:
        """Number of elements; 1 for a scalar."""
        return prod(self.shape)


def propose_roles(
    spans: Iterable[TensorSpan],
    ties: Mapping[str, str],
    kinds: Mapping[str, TensorKind] | None = None,
) -> tuple[RoleProposal, ...]:
    """Proposes a role for each tensor, in the order of their names.

    Integers are frozen, since they can be neither trained nor averaged. Statistics of
    norms and other buffers of floats stay with the contributor. All others are trained.

    Args:
        spans: the tensors.
        ties: other names of them.
        kinds: what a framework says they are, by name; without it their names tell.
    """
    others: dict[str, list[str]] = {}
    for left_out, kept in ties.items():
        others.setdefault(kept, []).append(left_out)
    proposals = []
    for span in sorted(spans, key=lambda one: one.name):
        role, reason = _role(span, None if kinds is None else kinds.get(span.name))
        tied = tuple(sorted(others.get(span.name, ())))
        proposals.append(
            RoleProposal(span.name, span.dtype, span.shape, role, reason, tied)
        )
    return tuple(proposals)


def _role(span: TensorSpan, kind: TensorKind | None) -> tuple[Role, str]:
    if not span.dtype.is_float:
        return Role.FROZEN, "integers"
    if kind is not None:
        return _ROLE_OF_KIND[kind], kind.value
    if any(fnmatchcase(span.name, pattern) for pattern in _NORM_NAMES):
        return Role.LOCAL, f"{TensorKind.NORM.value}, by its name"
    return Role.TRAIN, "floats"


def roles_now(
    proposals: Iterable[RoleProposal], role_of: RoleOf
) -> tuple[RoleProposal, ...]:
    """The same tensors with the roles that a recipe gives them."""
    return tuple(
        one
        if role_of(one.name, one.dtype) is one.role
        else RoleProposal(
            one.name,
            one.dtype,
            one.shape,
            role_of(one.name, one.dtype),
            "by the recipe",
            one.tied,
        )
        for one in proposals
    )


def patterns_for(
    proposals: Sequence[RoleProposal],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Role and patterns as a recipe lists them, which give exactly these roles.

    Where all tensors whose name ends alike have one role, one pattern stands for them;
    otherwise names stand for themselves. Every float that no other pattern fits is
    trained.

    Raises:
        ObjectInvalid: a name is too long and ends like one of another role.
    """
    patterns: dict[Role, dict[str, None]] = {role: {} for role in Role}
    for one in proposals:
        if one.role is not Role.TRAIN:
            patterns[one.role][_pattern(one, proposals)] = None
    order = (Role.AVERAGE, Role.LOCAL, Role.FROZEN)
    listed = [(role.value, tuple(patterns[role])) for role in order]
    return (*listed, (Role.TRAIN.value, ("*",)))


def _pattern(one: RoleProposal, proposals: Sequence[RoleProposal]) -> str:
    last = _escaped(one.name.rpartition(".")[2])
    suffixes = [f"*.{last}"] if "." in one.name else []
    # A name that is too long for a recipe is found by its end.
    for pattern in (*suffixes, _escaped(one.name), *_ends(one.name)):
        if len(pattern) <= _MAX_PATTERN and all(
            other.role is one.role or not fnmatchcase(other.name, pattern)
            for other in proposals
        ):
            return pattern
    raise ObjectInvalid(f"tensor {one.name!r}", "no pattern of a recipe can name it")


def _ends(name: str) -> Iterable[str]:
    for n_kept in range(_MAX_PATTERN // 2, len(name)):
        yield "*" + _escaped(name[-n_kept:])


def _escaped(name: str) -> str:
    return "".join(f"[{one}]" if one in _SPECIAL else one for one in name)
