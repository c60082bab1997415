"""What a merge method is: whole models in, one model out, as pure arithmetic.

Everything is float64, element by element, by additions, products, quotients and square
roots alone, in the order of the models' ids: the same bytes come out on every machine.
What a method needs to know of a whole tensor first (a length, a threshold) it reads in
`plan`; the rest goes part by part.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from flair_client.arithmetic import FloatArray
from flair_client.ids import CommitId

# Parameters and weights are decimals of nine digits, kept as integers: 0.3 is exactly
# what was typed, and dividing by this gives the float64 nearest to it.
UNIT = 10**9
# So many commits fit into the instruction that moves a branch to their merge.
MAX_MODELS = 16

# The merged values of the next part, from that part of every model and of the base.
PartFunction: TypeAlias = Callable[
    [Sequence[FloatArray], FloatArray | None], FloatArray
]


class ParamKind(StrEnum):
    """How a parameter is written."""

    FLAG = "flag"
    NUMBER = "number"
    SEED = "seed"


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a method.

    Attributes:
        name: as typed.
        default: as recorded; None where it must be given.
        low, high: bounds of the recorded integer; both are allowed values.
        bounds: the bounds in words.
    """

    name: str
    kind: ParamKind
    default: int | None
    low: int
    high: int
    bounds: str

    @property
    def key(self) -> str:
        """Its name in a commit: numbers count billionths there."""
        return f"{self.name}_e9" if self.kind is ParamKind.NUMBER else self.name


def flag(name: str, *, default: bool) -> Param:
    """A parameter that is on or off."""
    return Param(name, ParamKind.FLAG, int(default), 0, 1, "true or false")


DENSITY = Param("density", ParamKind.NUMBER, None, 1, UNIT, "above 0, at most 1")
LAMBDA = Param(
    *("lambda", ParamKind.NUMBER, UNIT, -1000 * UNIT, 1000 * UNIT),
    "from -1000 to 1000",
)
SEED = Param("seed", ParamKind.SEED, 0, 0, (1 << 63) - 1, "from 0 to 2^63 - 1")


@dataclass(frozen=True, slots=True)
class TensorStream:
    """One tensor of one model, which can be read more than once.

    Attributes:
        model: the commit that the model is of.
        parts: begins at the first value; `N_PART` values at a time, all finite.
    """

    model: CommitId
    parts: Callable[[], Iterator[FloatArray]]


@dataclass(frozen=True, slots=True)
class TensorInput:
    """One tensor of all models.

    Attributes:
        name: the tensor's.
        models: in the order of their ids.
        weights: of each, in billionths.
        base: what changes are counted from; None where the method takes no base.
        params: by key, complete.
    """

    name: str
    n_values: int
    models: tuple[TensorStream, ...]
    weights: tuple[int, ...]
    base: TensorStream | None
    params: Mapping[str, int]


class MergeMethod(Protocol):
    """A pure function of its arguments: no clock, no network, no hidden randomness.

    Attributes:
        id: name in commits and on the command line.
        title: what it does, in a few words.
        params: what it takes.
        weight_param: a parameter that gives the weights of two models, `1 - p` and `p`,
            in the order in which they are named; it is recorded as these weights.
        takes_base: whether it counts changes from a base.
        min_models, max_models: how many models it can merge.
    """

    id: str
    title: str
    params: tuple[Param, ...]
    weight_param: Param | None
    takes_base: bool
    min_models: int
    max_models: int

    def check(self, params: Mapping[str, int], weights: Sequence[int]) -> str | None:
        """Says why these do not go together; None where they do."""

    def keeps_equal(self, params: Mapping[str, int]) -> bool:
        """Whether equal models (equal to the base, too) give themselves, exactly."""

    def plan(self, tensor: TensorInput) -> PartFunction:
        """Gives what is to be called with each part, from the first to the last."""


def as_float(billionths: int) -> float:
    """The float64 nearest to so many billionths."""
    return billionths / UNIT
