"""Runs a recipe's own code in the sandbox; whatever comes back is distrusted.

Used by verbs, no verb itself. The chain plays no part in it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from flair_client.errors import DataError, ObjectInvalid, RecipeFailed
from flair_client.objects import Role
from flair_client.porcelain.base_file import without_bf16
from flair_client.progress import NO_PROGRESS, Progress, Task
from flair_client.training.doors import CHECKPOINT_FILE, is_finite_number
from flair_client.training.framework import TORCH
from flair_client.training.noisy_steps import NoisySteps
from flair_client.training.recipe import TrainingRecipe
from flair_client.training.spec import (
    EXIT_DATA,
    EXIT_RECIPE,
    RESULT_FILE,
    RESULT_WEIGHTS,
    RunSpec,
)
from flair_client.weights.foreign import ties_of
from flair_client.weights.opening import header_at

if TYPE_CHECKING:
    from flair_client.training.sandbox import Finished

_KEY_FILE: Final = "key"
_MAX_RESULT_BYTES: Final = 64 * 1024
_MAX_METRICS: Final = 256
_MAX_NAME: Final = 128
_MAX_SAMPLES: Final = 1 << 53
_MAX_EPOCHS: Final = 100_000
_MAX_LINE: Final = 64 * 1024
_MAX_SHOWN: Final = 600
# Room for checkpoints besides a few copies of the model.
_SPARE_SCRATCH_BYTES: Final = 4 << 30
# Threads count as well, and each library of numbers begins one for each processor.
_MIN_PROCESSES: Final = 256
_PROCESSES_PER_CPU: Final = 8
_ENDINGS: Final = {
    "time": "took longer than {max_seconds} s",
    "memory": "took more memory than {max_memory_bytes} bytes",
    "processes": "started too many processes",
    "scratch": "filled its scratch folder",
    "output": "printed without end",
}


@dataclass(frozen=True, slots=True)
class RunSource:
    """The data of a run.

    Attributes:
        plain: the data source as `data_sources` reads it in the child.
        readable: files and folders that the child must be able to read for it.
        fingerprint: changes when the data does.
    """

    plain: Mapping[str, Any]
    readable: tuple[Path, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RecipeJob:
    """One run of a recipe's code.

    Attributes:
        files: of the recipe, by name, as they were accepted.
        recipe: what its `flair.toml` says, within the policy's bounds.
        identity: what it is a run of. A run that was cut off is taken up only where
            this, the source, seed and device are the same.
        base: safetensors file of the weights to begin with.
        roles: of its tensors, by name.
        device: `auto`, `cpu`, `cuda` or `mps`.
        sandboxed: False where the user takes the risk.
        is_evaluation: whether the weights are measured, and nothing is trained.
        hidden: folders that nothing readable may hold, besides the home folder.
        correction: safetensors file of SCAFFOLD's correction, where the policy wants
            it.
        rate: of the policy, for it.
    """

    files: Mapping[str, bytes]
    recipe: TrainingRecipe
    identity: str
    base: Path
    roles: Mapping[str, Role]
    source: RunSource
    seed: int
    device: str
    round_index: int
    is_statistics: bool
    sandboxed: bool = True
    is_evaluation: bool = False
    hidden: tuple[Path, ...] = ()
    correction: Path | None = None
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class RecipeRun:
    """What came back. Its numbers were checked, its weights were not.

    Attributes:
        weights: a safetensors file that the recipe's code wrote.
        metrics: finite ones.
        bad_metrics: names whose value is no finite number.
        resumed: whether it went on from a run that was cut off.
        noisy_steps: how the weights were made, if the recipe's code says so.
    """

    weights: Path
    num_samples: int
    metrics: Mapping[str, float]
    bad_metrics: tuple[str, ...]
    epochs: int
    resumed: bool
    noisy_steps: NoisySteps | None = None


def run_recipe(
    job: RecipeJob, folder: Path, *, progress: Progress = NO_PROGRESS
) -> RecipeRun:
    """Runs a recipe's function on data, in a process of its own.

    Args:
        job: what to run.
        folder: made where it is not there; kept when the run fails, so that the next
            one can go on from its last checkpoint.
        progress: shows what the recipe reports.

    Raises:
        RecipeFailed: the code raised, was stopped at a limit, or gave back nonsense.
        NoSandbox: none can be had on this machine.
        UsageError: the data's folder holds one that may not be read.
        DataError: the data cannot be used; names file, column or row.
    """
    scratch = _prepare(job, folder)
    resumed = (scratch / CHECKPOINT_FILE).is_file()
    base = job.base
    if job.recipe.framework != TORCH:
        base = without_bf16(base, folder / "base.safetensors")
    spec = RunSpec(
        recipe=str(folder.absolute() / "recipe"),
        base=str(base.absolute()),
        scratch=str(scratch),
        source=job.source.plain,
        ties=ties_of(header_at(job.base)),
        trained=tuple(
            sorted(name for name, role in job.roles.items() if _is_trained(job, role))
        ),
        seed=job.seed,
        device=job.device,
        epochs=job.recipe.epochs,
        batch_size=job.recipe.batch_size,
        round_index=job.round_index,
        is_statistics=job.is_statistics,
        is_evaluation=job.is_evaluation,
        correction="" if job.correction is None else str(job.correction.absolute()),
        rate=job.rate,
    )
    spec.save(folder / "spec.json")
    said = _Said(progress)
    with said:
        finished = _start(job, folder, base, said)
    _check_end(job, finished, said)
    return _result(scratch, resumed=resumed, has_weights=not job.is_evaluation)


def forget_run(folder: Path) -> None:
    """Removes what a run left behind, checkpoints too."""
    shutil.rmtree(folder, ignore_errors=True)


def _is_trained(job: RecipeJob, role: Role) -> bool:
    return role is (Role.AVERAGE if job.is_statistics else Role.TRAIN)


def _prepare(job: RecipeJob, folder: Path) -> Path:
    """Writes the recipe's files, and keeps the scratch of the same run alone."""
    scratch = folder / "own"
    key = _key(job)
    kept = folder / _KEY_FILE
    if not kept.is_file() or kept.read_text("ascii", "replace") != key:
        forget_run(folder)
        scratch.mkdir(parents=True)
        kept.write_text(key, "ascii")
    for name in (RESULT_FILE, RESULT_WEIGHTS):
        (scratch / name).unlink(missing_ok=True)
    recipe = folder / "recipe"
    shutil.rmtree(recipe, ignore_errors=True)
    recipe.mkdir()
    for name, content in job.files.items():
        (recipe / name).write_bytes(content)
    return scratch.absolute()


def _key(job: RecipeJob) -> str:
    digest = hashlib.sha256()
    settings = (
        *(job.recipe.epochs, job.recipe.batch_size),
        *(job.is_statistics, job.is_evaluation),
    )
    for part in (
        *(job.identity, job.source.fingerprint, str(job.seed), job.device),
        *(str(one) for one in settings),
        *(f"{name}\n{text.hex()}" for name, text in sorted(job.files.items())),
    ):
        digest.update(len(part).to_bytes(8, "little") + part.encode())
    return digest.hexdigest()


def _start(job: RecipeJob, folder: Path, base: Path, said: "_Said") -> "Finished":
    # Only where code of a recipe's runs.
    from flair_client.porcelain.recipe_process import (
        command_of,
        environment,
        template_of,
    )
    from flair_client.training.sandbox import SandboxLimits
    from flair_client.training.sandbox import run as run_in_sandbox

    spec, scratch = folder.absolute() / "spec.json", folder.absolute() / "own"
    return run_in_sandbox(
        command_of(spec),
        readable=[
            folder.absolute() / "recipe",
            spec,
            base.absolute(),
            *(() if job.correction is None else (job.correction.absolute(),)),
            *job.source.readable,
        ],
        scratch=scratch,
        limits=SandboxLimits(
            max_seconds=job.recipe.max_seconds,
            max_memory_bytes=job.recipe.max_memory_bytes,
            max_processes=max(
                _MIN_PROCESSES, _PROCESSES_PER_CPU * (os.cpu_count() or 1)
            ),
            max_scratch_bytes=4 * job.base.stat().st_size + _SPARE_SCRATCH_BYTES,
        ),
        env=environment(job.seed, scratch),
        on_line=said.hear,
        device=job.device,
        sandboxed=job.sandboxed,
        hidden=job.hidden,
        prepared=template_of(job.recipe.framework),
    )


class _Said:
    """What the child says on its standard output, shown as progress.

    None of it is believed: a line that is not understood is passed by.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: Task | None = None
        self._done = 0
        self.error: str | None = None
        self.data_error: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.__exit__(None, None, None)

    def hear(self, line: str) -> None:
        """Takes one line."""
        if len(line) > _MAX_LINE:
            return
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        if isinstance(message.get("error"), str):
            self.error = message["error"][:_MAX_SHOWN]
        if isinstance(message.get("data_error"), str):
            self.data_error = message["data_error"][:_MAX_SHOWN]
        self._move(message.get("done"), message.get("total"))

    def _move(self, done: Any, total: Any) -> None:
        if type(done) is not int or type(total) is not int:
            return
        if not 0 < total < _MAX_SAMPLES or not self._done < done <= total:
            return
        if self._task is None:
            self._task = self._progress.task("training", total, "steps")
            self._task.__enter__()
        self._task.advance(done - self._done)
        self._done = done


def _check_end(job: RecipeJob, finished: "Finished", said: _Said) -> None:
    if finished.ended_by == "exit" and finished.exit_code == 0:
        return
    if finished.ended_by in _ENDINGS:
        how = _ENDINGS[finished.ended_by].format(
            max_seconds=job.recipe.max_seconds,
            max_memory_bytes=job.recipe.max_memory_bytes,
        )
        raise RecipeFailed(f"the recipe's code {how}")
    if finished.exit_code == EXIT_DATA and said.data_error is not None:
        raise DataError(said.data_error)
    if finished.exit_code == EXIT_RECIPE and said.error is not None:
        raise RecipeFailed(f"the recipe's code raised {said.error}")
    how = f"exit code {finished.exit_code}"
    if finished.ended_by == "signal":
        how = f"signal {abs(finished.exit_code)}"
    last = _last_line(finished.stderr_tail)
    raise RecipeFailed(f"the recipe's code ended with {how}{last}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {lines[-1][:_MAX_SHOWN]}" if lines else ""


def _result(scratch: Path, *, resumed: bool, has_weights: bool) -> RecipeRun:
    told = _read_result(scratch / RESULT_FILE)
    metrics = told.get("metrics")
    if not isinstance(metrics, dict) or len(metrics) > _MAX_METRICS:
        raise ObjectInvalid(f"{RESULT_FILE}.metrics", "is no short table")
    for name, value in metrics.items():
        if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
            raise ObjectInvalid(f"{RESULT_FILE}.metrics", f"{name[:40]!r} is no name")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ObjectInvalid(f"{RESULT_FILE}.metrics.{name}", "is not a number")
    weights = scratch / RESULT_WEIGHTS
    if has_weights and (weights.is_symlink() or not weights.is_file()):
        raise RecipeFailed("the recipe's code left no weights behind")
    return RecipeRun(
        weights=weights,
        num_samples=_whole(told, "num_samples", 1, _MAX_SAMPLES),
        metrics={n: float(v) for n, v in metrics.items() if is_finite_number(v)},
        bad_metrics=tuple(n for n, v in metrics.items() if not is_finite_number(v)),
        epochs=_whole(told, "epochs", 0, _MAX_EPOCHS),
        resumed=resumed,
        noisy_steps=NoisySteps.load(told.get("noisy_steps")),
    )


def _read_result(path: Path) -> dict[str, Any]:
    if path.is_symlink() or not path.is_file():
        raise RecipeFailed("the recipe's code left no result behind")
    with path.open("rb") as file:
        raw = file.read(_MAX_RESULT_BYTES + 1)
    try:
        told = json.loads(raw) if len(raw) <= _MAX_RESULT_BYTES else None
    except (ValueError, RecursionError) as exc:
        raise ObjectInvalid(RESULT_FILE, "is not JSON") from exc
    if not isinstance(told, dict):
        raise ObjectInvalid(RESULT_FILE, "is no short table")
    return told


def _whole(told: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = told.get(name)
    if type(value) is not int or not low <= value <= high:
        raise ObjectInvalid(
            f"the recipe's {name}", f"{value!r:.40} is not in {low} to {high}"
        )
    return value
