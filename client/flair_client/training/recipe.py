"""The recipe's `flair.toml`: what is trained, on what, with which settings.

Only the text form of values; nothing here reads data or runs code.
"""

import re
from typing import Any, Final

import tomlkit

from flair_client.errors import ObjectInvalid, ObjectTooLarge
from flair_client.toml_text import TomlInvalid, parse_toml
from flair_client.training.recipe_values import (
    BIAS,
    DEFAULT_ENTRY,
    DEFAULT_MAX_MEMORY_BYTES,
    DEFAULT_MAX_SECONDS,
    DEFAULT_ROLES,
    INPUT_DTYPES,
    LOGISTIC_REGRESSION,
    MAX_CODE_BYTES,
    MAX_COLUMNS,
    MAX_DIMENSIONS,
    MAX_INPUTS,
    MAX_OPTIONS,
    MAX_RECIPE_BYTES,
    MAX_REQUIREMENTS,
    MAX_STORES,
    MODEL_FILE,
    PYTHON,
    RECIPE_FILE,
    STATISTICS_MEAN,
    STATISTICS_MEAN_SQUARE,
    STATISTICS_PRESENT,
    TRAIN_FILE,
    WEIGHT,
    Column,
    Input,
    Option,
    TrainingRecipe,
)
from flair_client.training.toml_table import TomlTable

__all__ = [
    "BIAS",
    "DEFAULT_ENTRY",
    "DEFAULT_MAX_MEMORY_BYTES",
    "DEFAULT_MAX_SECONDS",
    "DEFAULT_ROLES",
    "INPUT_DTYPES",
    "LOGISTIC_REGRESSION",
    "MAX_CODE_BYTES",
    "MAX_COLUMNS",
    "MAX_DIMENSIONS",
    "MAX_INPUTS",
    "MAX_OPTIONS",
    "MAX_RECIPE_BYTES",
    "MAX_REQUIREMENTS",
    "MODEL_FILE",
    "PYTHON",
    "RECIPE_FILE",
    "STATISTICS_MEAN",
    "STATISTICS_MEAN_SQUARE",
    "STATISTICS_PRESENT",
    "TRAIN_FILE",
    "WEIGHT",
    "Column",
    "Input",
    "Option",
    "TrainingRecipe",
    "parse_recipe",
    "recipe_text",
]

_FRAMEWORKS: Final = ("", "torch", "sklearn", "numpy")
# A function or class in one of the recipe's own two modules.
_OBJECT: Final = re.compile(r"(model|train):[A-Za-z_][A-Za-z0-9_]*")
# Exactly one version: what runs here is what was looked at (PEP 508, the pinned part).
_REQUIREMENT: Final = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9,._-]+\])?"
    r"==[A-Za-z0-9][A-Za-z0-9.!+_-]*"
)
# What the author of a recipe for arrays has to fill in.
_INPUTS_EXAMPLE: Final = """\
Declare the arrays of the data, so that they are checked before the first step:
[[data.inputs]]
name = "x"
dtype = "float32"
shape = [-1, 1, 28, 28]  # -1: rows
[[data.inputs]]
name = "y"
dtype = "int64"
shape = [-1]\
"""
# Anybody reads from these without being asked: no plain HTTP, no password, no path.
_STORE: Final = re.compile(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_OPTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
        tables = parse_toml(raw)
    except TomlInvalid as exc:
        raise ObjectInvalid(RECIPE_FILE, f"is not TOML: {exc}") from exc
    top = TomlTable(RECIPE_FILE, tables)
    fields = {
        **_recipe_fields(top.table("recipe")),
        **_model_fields(top.table("model")),
        **_data_fields(top.table("data")),
        **_statistics_fields(top.table("statistics")),
        **_training_fields(top.table("training")),
        **_tensor_fields(top.table("tensors")),
        **_metric_fields(top.table("metrics")),
    }
    policy = _policy(top.take("policy", {}))
    top.done()
    parsed = TrainingRecipe(**fields, policy=policy)
    if parsed.model == LOGISTIC_REGRESSION and not parsed.columns:
        raise ObjectInvalid(f"{RECIPE_FILE}.data.columns", "no column is declared")
    return parsed


def _policy(policy: Any, path: str = f"{RECIPE_FILE}.policy") -> dict[str, Any]:
    """Single values, and one table of them; what goes deeper is nobody's."""
    if not isinstance(policy, dict):
        raise ObjectInvalid(path, "is not a table")
    for name, value in policy.items():
        where = f"{path}.{name}"
        if where == f"{RECIPE_FILE}.policy.strategy_params":
            _policy(value, where)
        elif isinstance(value, dict | list):
            raise ObjectInvalid(where, "is not a single value")
    return policy


def _recipe_fields(table: TomlTable) -> dict[str, Any]:
    table.whole("version", 1, 1, 1)
    model = table.text("model", "")
    if model not in ("", LOGISTIC_REGRESSION, PYTHON):
        raise ObjectInvalid(f"{table.path}.model", f"{model!r} is not a known model")
    entry = _object(table, "entry", DEFAULT_ENTRY)
    evaluation = _object(table, "evaluation", "")
    requirements = table.texts("requirements", ())
    path = f"{table.path}.requirements"
    if len(requirements) > MAX_REQUIREMENTS:
        raise ObjectTooLarge(path, len(requirements), MAX_REQUIREMENTS)
    for one in requirements:
        if _REQUIREMENT.fullmatch(one) is None:
            raise ObjectInvalid(path, f"{one!r} is not pinned as NAME==VERSION")
    stores = table.texts("stores", ())
    if len(stores) > MAX_STORES:
        raise ObjectTooLarge(f"{table.path}.stores", len(stores), MAX_STORES)
    for one in stores:
        if _STORE.fullmatch(one) is None:
            raise ObjectInvalid(f"{table.path}.stores", f"{one!r} is not https://HOST")
    table.done()
    return {
        "stores": stores,
        "model": model,
        "entry": entry,
        "evaluation": evaluation,
        "requirements": requirements,
    }


def _object(table: TomlTable, key: str, default: str) -> str:
    name = table.text(key, default)
    if name and _OBJECT.fullmatch(name) is None:
        raise ObjectInvalid(
            f"{table.path}.{key}", f"{name!r} is neither model:NAME nor train:NAME"
        )
    return name


def _model_fields(table: TomlTable) -> dict[str, Any]:
    fields = {
        "model_class": _object(table, "class", ""),
        "framework": table.choice("framework", "", _FRAMEWORKS),
    }
    table.done()
    return fields


def _data_fields(table: TomlTable) -> dict[str, Any]:
    given = "target" in table.rest
    target = table.text("target", "target")
    columns, inputs = _columns(table), _inputs(table)
    if columns and inputs:
        raise ObjectInvalid(table.path, "columns and inputs are both declared")
    if inputs and not given:
        target = ""
    if inputs and target and target not in [one.name for one in inputs]:
        raise ObjectInvalid(
            f"{table.path}.target",
            f"{target!r} is no declared input: a [[data.inputs]] with name = "
            f'"{target}" is missing, or target = "" where nothing is predicted',
        )
    table.done()
    return {"target": target, "columns": columns, "inputs": inputs}


def _columns(data: TomlTable) -> tuple[Column, ...]:
    columns = []
    for table in data.tables("columns", MAX_COLUMNS):
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
    _check_names(f"{data.path}.columns", "column", [one.name for one in columns])
    return tuple(columns)


def _inputs(data: TomlTable) -> tuple[Input, ...]:
    inputs = []
    for table in data.tables("inputs", MAX_INPUTS):
        one = Input(
            name=table.text("name", ""),
            dtype=table.choice("dtype", "float32", INPUT_DTYPES),
            shape=_shape(table),
            min=table.optional_real("min", -1e15, 1e15),
            max=table.optional_real("max", -1e15, 1e15),
        )
        table.done()
        if not one.name:
            raise ObjectInvalid(f"{table.path}.name", "is missing")
        if one.min is not None and one.max is not None and not one.min < one.max:
            raise ObjectInvalid(table.path, "min is not below max")
        inputs.append(one)
    _check_names(f"{data.path}.inputs", "input", [one.name for one in inputs])
    return tuple(inputs)


def _shape(table: TomlTable) -> tuple[int, ...]:
    shape = table.take("shape", [-1])
    path = f"{table.path}.shape"
    if not isinstance(shape, list) or not 1 <= len(shape) <= MAX_DIMENSIONS:
        raise ObjectInvalid(path, f"is not a list of 1 to {MAX_DIMENSIONS} sizes")
    for size in shape:
        if not isinstance(size, int) or isinstance(size, bool) or size < -1 or not size:
            raise ObjectInvalid(path, f"{size!r} is neither a size nor -1")
    if shape[0] != -1:
        raise ObjectInvalid(path, "does not begin with -1, the rows")
    return tuple(shape)


def _check_names(path: str, what: str, names: list[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise ObjectInvalid(path, f"{what} {name!r} is declared twice")
        seen.add(name)


def _statistics_fields(table: TomlTable) -> dict[str, Any]:
    fields = {
        "statistics": table.flag("enabled", default=False),
        "statistics_min_rows": table.whole("min_rows", 10, 1, 1_000_000_000),
    }
    table.done()
    return fields


def _training_fields(table: TomlTable) -> dict[str, Any]:
    fields = {
        "epochs": table.whole("epochs", 20, 1, 100_000),
        "learning_rate": table.real("learning_rate", 0.1, 1e-9, 1e3),
        "batch_size": table.whole("batch_size", 32, 1, 1_000_000),
        "l2": table.real("l2", 0.0, 0.0, 1e3),
        "seed": table.whole("seed", 0, 0, 2**63 - 1),
        "prox_mu": table.real("prox_mu", 0.0, 0.0, 1e3),
        "early_stop_patience": table.whole("early_stop_patience", 0, 0, 100_000),
        "max_seconds": table.whole("max_seconds", DEFAULT_MAX_SECONDS, 1, 10**7),
        "max_memory_bytes": table.whole(
            "max_memory_bytes", DEFAULT_MAX_MEMORY_BYTES, 1 << 26, 1 << 50
        ),
        "int8_base": table.flag("int8_base", default=False),
        "options": _options(table),
    }
    table.done()
    return fields


def _options(training: TomlTable) -> dict[str, Option]:
    table = training.table("options")
    if len(table.rest) > MAX_OPTIONS:
        raise ObjectTooLarge(table.path, len(table.rest), MAX_OPTIONS)
    options: dict[str, Option] = {}
    for name in list(table.rest):
        if _OPTION.fullmatch(name) is None:
            raise ObjectInvalid(table.path, f"{name[:40]!r} is no name of an option")
        value = table.rest[name]
        if isinstance(value, bool):
            options[name] = table.flag(name, default=False)
        elif isinstance(value, int):
            options[name] = table.whole(name, 0, -(2**63), 2**63 - 1)
        elif isinstance(value, float):
            options[name] = table.real(name, None, -1e300, 1e300)
        else:
            options[name] = table.text(name, "")
    return options


def _tensor_fields(table: TomlTable) -> dict[str, Any]:
    roles = tuple(
        (role, table.texts(role, patterns)) for role, patterns in DEFAULT_ROLES
    )
    table.done()
    return {"roles": roles}


def _metric_fields(table: TomlTable) -> dict[str, Any]:
    allowed = table.texts("allowed", ())
    table.done()
    return {"metrics": allowed}


def recipe_text(recipe: TrainingRecipe) -> str:
    """The `flair.toml` of a recipe, for people to edit; parses to an equal value.

    What only recipes with code use is left out where it has its default.
    """
    document = tomlkit.document()
    document.add(tomlkit.comment("The recipe: what is trained, on what, and how."))
    head: dict[str, Any] = {"version": 1, "model": recipe.model}
    if recipe.has_code or recipe.entry != DEFAULT_ENTRY:
        head["entry"] = recipe.entry
    if recipe.evaluation:
        head["evaluation"] = recipe.evaluation
    if recipe.requirements:
        head["requirements"] = list(recipe.requirements)
    if recipe.stores:
        head["stores"] = list(recipe.stores)
    document["recipe"] = head
    named = {"class": recipe.model_class, "framework": recipe.framework}
    if any(named.values()):
        document["model"] = {key: value for key, value in named.items() if value}
    document["data"] = _data_table(recipe)
    document["statistics"] = {
        "enabled": recipe.statistics,
        "min_rows": recipe.statistics_min_rows,
    }
    document["training"] = _training_table(recipe)
    document["tensors"] = {role: list(patterns) for role, patterns in recipe.roles}
    document["metrics"] = {"allowed": list(recipe.metrics)}
    if recipe.policy:
        document["policy"] = dict(recipe.policy)
    return tomlkit.dumps(document)


def _data_table(recipe: TrainingRecipe) -> Any:
    data = tomlkit.table()
    data.add("target", recipe.target)
    columns, inputs = tomlkit.aot(), tomlkit.aot()
    for column in recipe.columns:
        row = tomlkit.table()
        row.update({"name": column.name, "min": column.min, "max": column.max})
        columns.append(row)
    for one in recipe.inputs:
        row = tomlkit.table()
        row.update({"name": one.name, "dtype": one.dtype, "shape": list(one.shape)})
        limits = {"min": one.min, "max": one.max}
        row.update({key: value for key, value in limits.items() if value is not None})
        inputs.append(row)
    if recipe.columns:
        data.add("columns", columns)
    if recipe.inputs:
        data.add("inputs", inputs)
    if recipe.has_code and not recipe.columns and not recipe.inputs:
        for line in _INPUTS_EXAMPLE.splitlines():
            data.add(tomlkit.comment(line))
    return data


def _training_table(recipe: TrainingRecipe) -> dict[str, Any]:
    table: dict[str, Any] = {
        "epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
        "l2": recipe.l2,
        "seed": recipe.seed,
    }
    rare = {
        "prox_mu": (recipe.prox_mu, 0.0),
        "early_stop_patience": (recipe.early_stop_patience, 0),
        "max_seconds": (recipe.max_seconds, DEFAULT_MAX_SECONDS),
        "max_memory_bytes": (recipe.max_memory_bytes, DEFAULT_MAX_MEMORY_BYTES),
        "int8_base": (recipe.int8_base, False),
    }
    table |= {key: value for key, (value, usual) in rare.items() if value != usual}
    if recipe.options:
        table["options"] = dict(recipe.options)
    return table
