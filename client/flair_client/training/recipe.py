"""The recipe's `flair.toml`: what is trained, on which columns, with which settings.

Only values and their text form; nothing here reads data or runs code.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomlkit

from flair_client.errors import ObjectInvalid, ObjectTooLarge

RECIPE_FILE = "flair.toml"
LOGISTIC_REGRESSION = "logistic-regression"
# A recipe is read by people; anything longer is no recipe.
MAX_RECIPE_BYTES = 256 * 1024
MAX_COLUMNS = 4096
MAX_NAME_LENGTH = 128

WEIGHT = "linear.weight"
BIAS = "linear.bias"
STATISTICS_PRESENT = "statistics.present"
STATISTICS_MEAN = "statistics.mean"
STATISTICS_MEAN_SQUARE = "statistics.mean_square"


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
class TrainingRecipe:
    """A parsed `flair.toml`.

    Attributes:
        model: `logistic-regression`, or empty where the recipe trains nothing itself.
        columns: inputs, in the order of the weight vector.
        target: the column that is 0 or 1.
        statistics: whether round 0 collects means and deviations.
        statistics_min_rows: fewer rows than this give no statistics away.
        epochs: passes over the data per round.
        learning_rate, batch_size, l2: of gradient descent.
        seed: mixed into the order of the rows.
        roles: role → patterns of tensor names, in order of precedence.
        metrics: names that may leave with a commit.
        policy: the `[policy]` table as written, for `flair repo create`.
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


DEFAULT_ROLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("average", ("statistics.*",)),
    ("local", ()),
    ("frozen", ()),
    ("train", ("*",)),
)


class _Table:
    """Reads one TOML table field by field and refuses what it does not know."""

    def __init__(self, path: str, table: Any) -> None:
        if not isinstance(table, dict):
            raise ObjectInvalid(path, "is not a table")
        self.path = path
        self.rest = dict(table)

    def take(self, key: str, default: Any = None) -> Any:
        return self.rest.pop(key, default)

    def table(self, key: str) -> "_Table":
        return _Table(f"{self.path}.{key}", self.take(key, {}))

    def text(self, key: str, default: str) -> str:
        value = self.take(key, default)
        if not isinstance(value, str) or len(value) > MAX_NAME_LENGTH:
            raise ObjectInvalid(f"{self.path}.{key}", "is not a short text")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.take(key, default)
        if not isinstance(value, bool):
            raise ObjectInvalid(f"{self.path}.{key}", "is neither true nor false")
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        value = self.take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ObjectInvalid(f"{self.path}.{key}", "is not a whole number")
        if not low <= value <= high:
            raise ObjectInvalid(f"{self.path}.{key}", f"is not in {low} to {high}")
        return value

    def real(self, key: str, default: float | None, low: float, high: float) -> float:
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ObjectInvalid(f"{self.path}.{key}", "is not a number")
        if not math.isfinite(value) or not low <= value <= high:
            raise ObjectInvalid(f"{self.path}.{key}", f"is not in {low} to {high}")
        return float(value)

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.take(key, list(default))
        if not isinstance(value, list) or not all(
            isinstance(item, str) and 0 < len(item) <= MAX_NAME_LENGTH for item in value
        ):
            raise ObjectInvalid(f"{self.path}.{key}", "is not a list of short texts")
        return tuple(value)

    def done(self) -> None:
        for key in self.rest:
            raise ObjectInvalid(f"{self.path}.{key}", "is not a known field")


def parse_recipe(text: str | bytes) -> TrainingRecipe:
    """Reads a `flair.toml`.

    Raises:
        ObjectInvalid: not TOML, an unknown field, or a value out of its limits; names
            the field.
        ObjectTooLarge: longer than any recipe.
    """
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > MAX_RECIPE_BYTES:
        raise ObjectTooLarge(RECIPE_FILE, len(raw), MAX_RECIPE_BYTES)
    try:
        tables = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ObjectInvalid(RECIPE_FILE, f"is not TOML: {exc}") from exc
    top = _Table(RECIPE_FILE, tables)
    recipe = top.table("recipe")
    recipe.whole("version", 1, 1, 1)
    model = recipe.text("model", "")
    if model not in ("", LOGISTIC_REGRESSION):
        raise ObjectInvalid(
            f"{RECIPE_FILE}.recipe.model", f"{model!r} is not a known model"
        )
    recipe.done()
    data = top.table("data")
    target = data.text("target", "target")
    columns = _columns(data)
    if model == LOGISTIC_REGRESSION and not columns:
        raise ObjectInvalid(f"{RECIPE_FILE}.data.columns", "no column is declared")
    data.done()
    statistics = top.table("statistics")
    training = top.table("training")
    tensors = top.table("tensors")
    metrics = top.table("metrics")
    policy = top.take("policy", {})
    if not isinstance(policy, dict):
        raise ObjectInvalid(f"{RECIPE_FILE}.policy", "is not a table")
    parsed = TrainingRecipe(
        model=model,
        columns=columns,
        target=target,
        statistics=statistics.flag("enabled", default=False),
        statistics_min_rows=statistics.whole("min_rows", 10, 1, 1_000_000_000),
        epochs=training.whole("epochs", 20, 1, 100_000),
        learning_rate=training.real("learning_rate", 0.1, 1e-9, 1e3),
        batch_size=training.whole("batch_size", 32, 1, 1_000_000),
        l2=training.real("l2", 0.0, 0.0, 1e3),
        seed=training.whole("seed", 0, 0, 2**63 - 1),
        roles=tuple(
            (role, tensors.texts(role, patterns)) for role, patterns in DEFAULT_ROLES
        ),
        metrics=metrics.texts("allowed", ()),
        policy=policy,
    )
    for table in (statistics, training, tensors, metrics, top):
        table.done()
    return parsed


def _columns(data: _Table) -> tuple[Column, ...]:
    listed = data.take("columns", [])
    path = f"{RECIPE_FILE}.data.columns"
    if not isinstance(listed, list):
        raise ObjectInvalid(path, "is not a list of tables")
    if len(listed) > MAX_COLUMNS:
        raise ObjectTooLarge(path, len(listed), MAX_COLUMNS)
    columns = []
    for index, item in enumerate(listed):
        table = _Table(f"{path}[{index}]", item)
        column = Column(
            name=table.text("name", ""),
            min=table.real("min", None, -1e15, 1e15),
            max=table.real("max", None, -1e15, 1e15),
        )
        table.done()
        if not column.name:
            raise ObjectInvalid(f"{table.path}.name", "is missing")
        if not column.min < column.max:
            raise ObjectInvalid(table.path, "min is not below max")
        columns.append(column)
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise ObjectInvalid(path, f"column {name!r} is declared twice")
    return tuple(columns)


def recipe_text(recipe: TrainingRecipe) -> str:
    """The `flair.toml` of a recipe, for people to edit; parses to an equal value."""
    document = tomlkit.document()
    document.add(tomlkit.comment("The recipe: what is trained, on what, and how."))
    document["recipe"] = {"version": 1, "model": recipe.model}
    data = tomlkit.table()
    data.add("target", recipe.target)
    columns = tomlkit.aot()
    for column in recipe.columns:
        row = tomlkit.table()
        row.update({"name": column.name, "min": column.min, "max": column.max})
        columns.append(row)
    if recipe.columns:
        data.add("columns", columns)
    document["data"] = data
    document["statistics"] = {
        "enabled": recipe.statistics,
        "min_rows": recipe.statistics_min_rows,
    }
    document["training"] = {
        "epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
        "l2": recipe.l2,
        "seed": recipe.seed,
    }
    document["tensors"] = {role: list(patterns) for role, patterns in recipe.roles}
    document["metrics"] = {"allowed": list(recipe.metrics)}
    if recipe.policy:
        document["policy"] = dict(recipe.policy)
    return tomlkit.dumps(document)
