"""The child process that runs a recipe's code: `python -m …child SPEC.json`.

It reads the spec, the base and the data, calls the recipe's function, and writes
`result.safetensors` and `result.json` into its scratch folder. What it says on its
standard output is one JSON object a line; whatever the recipe prints goes to the
standard error. Nothing here is trusted by whoever started it.
"""

import importlib.abc
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TextIO

import numpy as np

from flair_client.errors import DataError, ExtraMissing
from flair_client.training.correction import UNUSED, Correction, correction_from
from flair_client.training.doors import (
    CHECKPOINT_FILE,
    TrainContext,
    TrainData,
    TrainResult,
)
from flair_client.training.framework import (
    TORCH,
    choose_device,
    load_values,
    seed_everything,
)
from flair_client.training.reading import read_plain
from flair_client.training.recipe import TrainingRecipe, parse_recipe
from flair_client.training.spec import (
    EXIT_DATA,
    EXIT_RECIPE,
    RESULT_FILE,
    RESULT_WEIGHTS,
    RunSpec,
)

_MODULES: Final = ("model", "train")
_MAX_TOLD: Final = 2000


class _RecipeModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the recipe's own modules, and nothing else that lies beside them.

    Their text is read as UTF-8 whatever they say of themselves: a file that declares
    another encoding would run as something else than what was shown and accepted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        del path, target
        file = self._folder / f"{fullname}.py"
        if fullname not in _MODULES or not file.is_file():
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(file))

    def exec_module(self, module: ModuleType) -> None:
        file = self._folder / f"{module.__name__}.py"
        module.__file__ = str(file)
        text = file.read_text("utf-8")
        code = compile(text, str(file), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - it was looked at and accepted


def load_recipe_object(folder: Path, name: str) -> Any:
    """Gives what `train:NAME` or `model:NAME` names in a recipe's folder.

    Raises:
        AttributeError: the module has no such name.
    """
    module_name, _, attribute = name.partition(":")
    finder = _RecipeModules(folder)
    sys.meta_path.insert(0, finder)
    module = importlib.import_module(module_name)
    return getattr(module, attribute)


def save_result(
    result: TrainResult, ties: Mapping[str, str], framework: str, folder: Path
) -> None:
    """Writes what a recipe gave back.

    Raises:
        TypeError, ValueError: it is no `TrainResult` of tensors by name.
    """
    weights = _without_ties(dict(result.weights), ties)
    path = folder / RESULT_WEIGHTS
    if framework == TORCH:
        from safetensors.torch import save_file

        save_file({k: _own_tensor(k, v) for k, v in weights.items()}, str(path))
    else:
        from safetensors.numpy import save_file as save_arrays

        # The library writes the memory as it lies.
        arrays = {k: np.asarray(_array(k, v), order="C") for k, v in weights.items()}
        save_arrays(arrays, str(path))
    told: dict[str, Any] = {
        "num_samples": int(result.num_samples),
        "epochs": int(result.epochs),
        "metrics": {str(name): float(v) for name, v in result.metrics.items()},
    }
    if result.noisy_steps is not None:
        told["noisy_steps"] = result.noisy_steps.save()
    (folder / RESULT_FILE).write_text(json.dumps(told), "utf-8")


def _without_ties(weights: dict[str, Any], ties: Mapping[str, str]) -> dict[str, Any]:
    for left_out, kept in ties.items():
        if left_out in weights and kept in weights:
            if not np.array_equal(
                _array("", weights[left_out]), _array("", weights[kept])
            ):
                raise ValueError(f"{left_out!r} is tied to {kept!r} and differs")
            del weights[left_out]
    return weights


def _array(name: str, value: Any) -> Any:
    detach = getattr(value, "detach", None)
    if detach is not None:
        value = detach().cpu()
        # NumPy has no bfloat16; its values are exact in float32.
        value = (value.float() if value.is_floating_point() else value).numpy()
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"tensor {name!r} is {type(value).__name__}, not an array")
    return np.asarray(value)


def _own_tensor(name: str, value: Any) -> Any:
    import torch

    if isinstance(value, np.ndarray | np.generic):
        return torch.from_numpy(np.array(value))
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"tensor {name!r} is {type(value).__name__}, not a tensor")
    # A copy of its own: tensors that share memory cannot be written one by one.
    return value.detach().cpu().contiguous().clone()


def make_context(
    spec: RunSpec,
    recipe: TrainingRecipe,
    base: Mapping[str, Any],
    tell: Callable[[int, int, Mapping[str, float]], None],
    correction: Correction | None = None,
) -> TrainContext:
    """Everything that a recipe trains with, from the spec and the recipe."""
    scratch = Path(spec.scratch)
    resume = scratch / CHECKPOINT_FILE
    return TrainContext(
        seed=spec.seed,
        device=choose_device(spec.device, recipe.framework),
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        learning_rate=recipe.learning_rate,
        l2=recipe.l2,
        prox_mu=recipe.prox_mu,
        early_stop_patience=recipe.early_stop_patience,
        options=recipe.options,
        round_index=spec.round_index,
        is_statistics=spec.is_statistics,
        scratch=scratch,
        base=base,
        trained=frozenset(spec.trained),
        resume=resume if resume.is_file() else None,
        tell=tell,
        correction=correction,
    )


def _correction(spec: RunSpec, framework: str) -> Correction | None:
    if not spec.correction:
        return None
    values = load_values(Path(spec.correction), {}, framework)
    return correction_from(spec.rate, values, spec.ties)


def run(spec: RunSpec, data: TrainData, tell: Callable[..., None]) -> TrainResult:
    """Calls the recipe's function.

    Raises:
        TypeError: it gave back something else than a `TrainResult`.
        ValueError: it did not correct its gradients, which the policy asks for.
        Exception: whatever the recipe raises.
    """
    folder = Path(spec.recipe)
    recipe = parse_recipe((folder / "flair.toml").read_bytes())
    train = load_recipe_object(folder, recipe.entry)
    weights, base = (
        load_values(Path(spec.base), spec.ties, recipe.framework) for _ in range(2)
    )
    correction = _correction(spec, recipe.framework)
    context = make_context(spec, recipe, base, tell, correction)
    # Last, so that what was imported and loaded before takes no part in it.
    seed_everything(spec.seed, recipe.framework)
    result = train(weights, data, context)
    if not isinstance(result, TrainResult):
        raise TypeError(f"{recipe.entry} gave {type(result).__name__}, no TrainResult")
    # A run that is taken up may have made its last step before.
    if correction is not None and not correction.is_used and context.resume is None:
        raise ValueError(UNUSED)
    save_result(result, spec.ties, recipe.framework, Path(spec.scratch))
    return result


def evaluate(spec: RunSpec, data: TrainData, tell: Callable[..., None]) -> None:
    """Calls the recipe's function that measures weights.

    Raises:
        TypeError, ValueError: it gave back something else than numbers by name.
        Exception: whatever the recipe raises.
    """
    folder = Path(spec.recipe)
    recipe = parse_recipe((folder / "flair.toml").read_bytes())
    measure = load_recipe_object(folder, recipe.evaluation)
    weights = load_values(Path(spec.base), spec.ties, recipe.framework)
    context = make_context(spec, recipe, weights, tell)
    seed_everything(spec.seed, recipe.framework)
    found = measure(weights, data, context)
    if not isinstance(found, Mapping):
        raise TypeError(
            f"{recipe.evaluation} gave {type(found).__name__}, no numbers by name"
        )
    told = {
        "num_samples": len(data),
        "epochs": 0,
        "metrics": {str(name): float(value) for name, value in found.items()},
    }
    (Path(spec.scratch) / RESULT_FILE).write_text(json.dumps(told), "utf-8")


def main(path: Path) -> int:
    """Runs a spec; what went wrong is the last line, and in the exit code."""
    say = _speaker()
    spec = RunSpec.load(path)
    try:
        recipe = parse_recipe((Path(spec.recipe) / "flair.toml").read_bytes())
        data = read_plain(spec.source, recipe, is_statistics=spec.is_statistics)
    except (DataError, ExtraMissing) as exc:
        say({"data_error": str(exc)[:_MAX_TOLD]})
        return EXIT_DATA

    def tell(done: int, total: int, losses: Mapping[str, float]) -> None:
        say({"done": done, "total": total, "losses": dict(losses)})

    try:
        (evaluate if spec.is_evaluation else run)(spec, data, tell)
    except Exception as exc:  # noqa: BLE001 - whatever a recipe raises
        traceback.print_exc(file=sys.stderr)
        say({"error": _told(exc, Path(spec.recipe))})
        return EXIT_RECIPE
    return 0


def _speaker() -> Callable[[Mapping[str, Any]], None]:
    """Keeps the standard output for itself, and gives everybody else the other."""
    out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: Mapping[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    return say


def _told(error: BaseException, folder: Path) -> str:
    place = ""
    for frame in _frames(error):
        if Path(frame.filename).parent == folder:
            place = f" at {Path(frame.filename).name}, line {frame.lineno}"
    words = " ".join(str(error).split())
    return f"{type(error).__name__}{place}: {words}"[:_MAX_TOLD]


def _frames(error: BaseException) -> Iterator[traceback.FrameSummary]:
    yield from traceback.extract_tb(error.__traceback__)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
