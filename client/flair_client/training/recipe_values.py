"""A recipe's values and their limits; `recipe` reads and writes them as text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

RECIPE_FILE = "flair.toml"
MODEL_FILE: Final = "model.py"
TRAIN_FILE: Final = "train.py"
LOGISTIC_REGRESSION = "logistic-regression"
PYTHON: Final = "python"
DEFAULT_ENTRY: Final = "train:train"
# A recipe is read by people; anything longer is no recipe.
MAX_RECIPE_BYTES = 256 * 1024
MAX_CODE_BYTES: Final = 64 * 1024
MAX_COLUMNS = 4096
MAX_INPUTS: Final = 64
MAX_DIMENSIONS: Final = 8
MAX_REQUIREMENTS: Final = 64
MAX_STORES: Final = 8
MAX_OPTIONS: Final = 64
DEFAULT_MAX_SECONDS: Final = 24 * 3600
DEFAULT_MAX_MEMORY_BYTES: Final = 8 << 30

WEIGHT = "linear.weight"
BIAS = "linear.bias"
STATISTICS_PRESENT = "statistics.present"
STATISTICS_MEAN = "statistics.mean"
STATISTICS_MEAN_SQUARE = "statistics.mean_square"

INPUT_DTYPES: Final = (
    *("float32", "float64", "float16", "bool", "uint8"),
    *("int8", "int16", "int32", "int64"),
)

Option: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Column:
    """An input column.

    Attributes:
        name: as in the recipe; a column map may give a file's own name.
        min, max: the plausible range, in the column's unit. Values are clipped to it
            and scaled to 0…1, so that one record moves a statistic by a bounded step.
    """

    name: str
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Input:
    """An input array.

    Attributes:
        name: the recipe's own name for it.
        dtype: NumPy's name.
        shape: -1 first: rows; others are sizes, -1 where any will do.
        min, max: the plausible range; None where there is none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """A parsed `flair.toml`.

    Attributes:
        model: `logistic-regression`, `python` where the recipe brings its own code, or
            empty where it trains nothing itself.
        columns: inputs, in the order of the weight vector.
        target: the column that is 0 or 1, or the name of the input that is predicted;
            empty where inputs are declared and none of them is.
        statistics: whether round 0 collects means and deviations.
        statistics_min_rows: fewer rows than this give no statistics away.
        epochs: passes over the data per round.
        learning_rate, batch_size, l2: of gradient descent.
        seed: mixed into the order of the rows.
        roles: role → patterns of tensor names, in order of precedence.
        metrics: names that may leave with a commit.
        policy: the `[policy]` table as written, for `flair repo create`.
        entry: `train:FUNCTION` that a recipe with code is trained by.
        evaluation: `train:FUNCTION` that measures a model on a site's rows; empty
            where the code has none.
        requirements: what its code imports, each pinned to one version.
        stores: URLs of stores that have the repository's blocks, for reading.
        model_class: `model:NAME` of the model's class; empty where there is none.
        framework: what its weights are handed over as; empty is NumPy.
        inputs: arrays, for data that is no table of columns.
        prox_mu: strength of FedProx's term; 0 is none.
        early_stop_patience: epochs without getting better before training ends; 0 is
            never.
        max_seconds, max_memory_bytes: that a run of the code may take.
        int8_base: whether the frozen base may be fetched with eight bits a value.
        options: small values that the code alone understands.
    """

    model: str
    columns: tuple[Column, ...]
    target: str
    statistics: bool
    statistics_min_rows: int
    epochs: int
    learning_rate: float
    batch_size: int
    l2: float
    seed: int
    roles: tuple[tuple[str, tuple[str, ...]], ...]
    metrics: tuple[str, ...]
    policy: Mapping[str, Any]
    entry: str = DEFAULT_ENTRY
    evaluation: str = ""
    requirements: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    model_class: str = ""
    framework: str = ""
    inputs: tuple[Input, ...] = ()
    prox_mu: float = 0.0
    early_stop_patience: int = 0
    max_seconds: int = DEFAULT_MAX_SECONDS
    max_memory_bytes: int = DEFAULT_MAX_MEMORY_BYTES
    int8_base: bool = False
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def has_code(self) -> bool:
        """Whether it is trained by code of its own."""
        return self.model == PYTHON


DEFAULT_ROLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("average", ("statistics.*",)),
    ("local", ()),
    ("frozen", ()),
    ("train", ("*",)),
)
