"""What a recipe's `train(weights, data, ctx)` is handed, and what it gives back.

A recipe imports `TrainResult` from here and nothing else of Flair; NumPy alone is
needed, whatever framework it trains with.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from flair_client.training.correction import Correction
from flair_client.training.noisy_steps import NoisySteps

Array: TypeAlias = npt.NDArray[Any]
CHECKPOINT_FILE: Final = "checkpoint"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a recipe gives back; nothing of it has left the machine yet.

    Attributes:
        weights: every tensor that was handed over, under its name: arrays of NumPy or
            tensors of PyTorch. `model.state_dict()` will do.
        num_samples: rows that stand behind them.
        metrics: name → finite number; only names that the recipe lists may leave.
        epochs: passes over the data that were made.
        noisy_steps: where every trained tensor was made by steps with noise alone, what
            these were; `privacy.dp_sgd.DpSgd` tells them.
    """

    weights: Mapping[str, Any]
    num_samples: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 1
    noisy_steps: NoisySteps | None = None


@dataclass(frozen=True, slots=True)
class TrainData:
    """A contributor's rows, checked against what the recipe declares.

    Attributes:
        arrays: declared name → values; the first dimension of each is the rows.
        target: name of what is predicted; it need not be there.
        columns: names in the order of `x`; empty where the recipe declares arrays.
        limits: the declared range of each column.
        n_clipped: column → number of values that were outside of it.
    """

    arrays: Mapping[str, Array]
    target: str
    columns: tuple[str, ...] = ()
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    n_clipped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return next((len(one) for one in self.arrays.values()), 0)

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    @property
    def x(self) -> Array:
        """The inputs: columns side by side, or the one array that is not the target.

        Shape [rows, columns] float64, NaN where not measured; or the array's own.

        Raises:
            KeyError: there are several arrays; they are asked for by name.
        """
        if self.columns:
            return np.column_stack([self.arrays[name] for name in self.columns])
        names = [name for name in self.arrays if name != self.target]
        if len(names) != 1:
            raise KeyError(f"there are {len(names)} inputs: {', '.join(names)}")
        return self.arrays[names[0]]

    @property
    def scaled(self) -> Array:
        """Columns scaled from their declared range to -1…1; 0 where not measured.

        Shape [rows, columns], float64.
        """
        low, high = np.array([self.limits[name] for name in self.columns]).T
        scaled: Array = np.nan_to_num(2 * (self.x - low) / (high - low) - 1)
        return scaled

    @property
    def y(self) -> Array:
        """What is predicted; its first dimension is the rows."""
        return self.arrays[self.target]


def _say_nothing(_done: int, _total: int, _losses: Mapping[str, float]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class TrainContext:
    """What a recipe trains with.

    Attributes:
        seed: of everything random; Python, NumPy and PyTorch have been seeded with it.
        device: `cpu`, `cuda` or `mps`.
        epochs, batch_size, learning_rate, l2: of the recipe, within the policy's
            bounds.
        prox_mu: strength of FedProx's term; 0 is none.
        early_stop_patience: epochs without getting better before it ends; 0 is never.
        options: the recipe's own.
        round_index: 0 collects statistics.
        is_statistics: whether only averaged tensors may change.
        scratch: the one folder that can be written.
        base: the weights that were handed over, as they were; read only.
        trained: names of the tensors that are to be trained.
        resume: what `checkpoint` last wrote in a run that was cut off; else None.
        correction: SCAFFOLD's, where the policy has this strategy; else None.
    """

    seed: int
    device: str
    epochs: int
    batch_size: int
    learning_rate: float
    l2: float
    prox_mu: float
    early_stop_patience: int
    options: Mapping[str, Any]
    round_index: int
    is_statistics: bool
    scratch: Path
    base: Mapping[str, Any]
    trained: frozenset[str]
    resume: Path | None = None
    tell: Callable[[int, int, Mapping[str, float]], None] = _say_nothing
    correction: Correction | None = None

    def report(self, done: int, total: int, **losses: float) -> None:
        """Shows how far training is: `done` of `total` steps or epochs, and losses."""
        self.tell(int(done), int(total), {k: float(v) for k, v in losses.items()})

    def batches(self, n_rows: int, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
        """Row numbers of an epoch's batches, in an order that seed and epoch fix.

        A run that is taken up again in the middle sees the same batches. A single row
        that would be left over goes into the batch before: batch norms need two.
        """
        order = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        rows = order.permutation(n_rows)
        start = 0
        while start < n_rows:
            end = start + self.batch_size
            if n_rows - end == 1 and self.batch_size > 1:
                end = n_rows
            yield rows[start:end]
            start = end

    def stop_early(self, losses: Sequence[float]) -> bool:
        """Whether training has got no better for too long.

        Args:
            losses: one of each epoch so far, oldest first.
        """
        patience = self.early_stop_patience
        if not patience or len(losses) <= patience:
            return False
        return not min(losses[-patience:]) < min(losses[:-patience])

    def prox_term(self, parameters: Mapping[str, Any]) -> Any:
        """FedProx's term `mu / 2 · ‖w - w_base‖²` over trained tensors, for the loss.

        Li et al., Federated Optimization in Heterogeneous Networks (2020), equation 2.

        Args:
            parameters: name → tensor that the gradient flows through, as
                `dict(model.named_parameters())`; or arrays.

        Returns:
            A scalar of the tensors' own kind; 0.0 where the strength is 0.
        """
        if not self.prox_mu:
            return 0.0
        total: Any = 0.0
        for name, value in parameters.items():
            if name in self.trained:
                difference = value - self._base_like(name, value)
                total = total + (difference * difference).sum()
        return 0.5 * self.prox_mu * total

    def _base_like(self, name: str, value: Any) -> Any:
        base = self.base[name]
        # A tensor of PyTorch may lie on another device than the one handed over.
        to = getattr(base, "to", None)
        return base if to is None else to(device=value.device, dtype=value.dtype)

    def step_size(self, n_steps: int) -> float:
        """The learning rate of plain gradient steps.

        Where the policy's strategy is SCAFFOLD, its rate divided by their number;
        otherwise the recipe's `learning_rate`.

        Args:
            n_steps: all that this run will make.
        """
        if self.correction is None:
            return self.learning_rate
        return self.correction.step_size(n_steps)

    def gradient_correction(self, name: str) -> Any:
        """What SCAFFOLD adds to a tensor's gradient, in every step: `c - c_i`.

        Karimireddy et al., SCAFFOLD (2020), algorithm 1. 0.0 under another strategy.
        """
        return 0.0 if self.correction is None else self.correction.of(name)

    def correct_gradients(self, parameters: Mapping[str, Any]) -> None:
        """Adds SCAFFOLD's correction to PyTorch's gradients; else nothing.

        Between `backward()` and the optimiser's step.

        Args:
            parameters: as `dict(model.named_parameters())`.
        """
        if self.correction is not None:
            self.correction.add_to(parameters)

    def checkpoint(
        self, save: Callable[[Path], object], *, every_s: float = 30.0
    ) -> None:
        """Keeps a state that a run can be taken up from when this one is cut off.

        Args:
            save: writes one file to the path that it is given, as
                `lambda path: torch.save(state, path)`. The next run finds it in
                `resume`: the new file whole, or the one before.
            every_s: nothing is done while the last one is younger than this.
        """
        kept = self.scratch / CHECKPOINT_FILE
        with suppress(FileNotFoundError):
            if time.time() - kept.stat().st_mtime < every_s:
                return
        unfinished = self.scratch / f"{CHECKPOINT_FILE}.new"
        save(unfinished)
        unfinished.replace(kept)


def is_finite_number(value: object) -> bool:
    """Whether it is a finite number; Booleans are none."""
    if isinstance(value, bool | np.bool_):
        return False
    if not isinstance(value, int | float | np.integer | np.floating):
        return False
    return math.isfinite(value)
