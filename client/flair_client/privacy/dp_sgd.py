"""DP-SGD for a recipe of PyTorch's: gradients clipped row by row, and noise.

Abadi et al. 2016, algorithm 1 (arXiv:1607.00133). Each step takes every row on its own
with the same chance, clips the gradient of each, adds noise to their sum and divides by
the number of rows to be expected.

Gradients are clipped as whole numbers of a small unit, and the noise is a discrete
Gaussian of such numbers: floating-point noise gives away what it should hide (Mironov
2012). Rows and noise are drawn from the operating system's generator; the recipe's seed
is published and has no part in them.
"""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flair_client.errors import UsageError
from flair_client.privacy.noise import DiscreteGaussian, RandomStream, new_key, noise_of
from flair_client.training.noisy_steps import NoisySteps

# Deviation of the noise in units of the gradients.
_SIGMA: Final = float(1 << 14)
# Rows whose gradients are in memory at once, and values of them.
_MAX_ROWS: Final = 64
_MAX_VALUES: Final = 1 << 24

Loss = Callable[[Any, Any], Any]


class DpSgd:
    """Gives an optimizer gradients with noise, and counts how often."""

    def __init__(
        self,
        model: Any,
        loss: Loss,
        *,
        n_rows: int,
        batch_size: int,
        clip: float,
        noise_multiplier: float,
        trained: Collection[str] | None = None,
        steps_before: int = 0,
    ) -> None:
        """Begins a run.

        Args:
            model: a module of PyTorch whose output for a row depends on no other row.
            loss: gives the mean loss of outputs and targets.
            n_rows: of the data.
            batch_size: rows to be expected in a step.
            clip: longest gradient of a row; longer ones are shortened.
            noise_multiplier: deviation of the noise by `clip`.
            trained: names of the parameters to train, as `ctx.trained`; or all of them.
            steps_before: made in a run that this one goes on from.

        Raises:
            UsageError: the model mixes rows, there is nothing to train, or a number is
                out of its range.
            ObjectInvalid: a number of the noise is out of its range.
        """
        _check_model(model)
        self._model = model
        self._loss = loss
        self._n_rows = n_rows
        self._parameters = {
            name: value
            for name, value in model.named_parameters()
            if value.requires_grad and (trained is None or name in trained)
        }
        if n_rows < 1 or batch_size < 1:
            raise UsageError("there are no rows to train on")
        if not self._parameters:
            raise UsageError("there is no parameter to train")
        if not (math.isfinite(clip) and clip > 0):
            raise UsageError(f"gradients cannot be clipped to {clip:g}")
        self._rate = min(1.0, batch_size / n_rows)
        self._noise_multiplier = float(noise_multiplier)
        NoisySteps(self._noise_multiplier, self._rate, 1)
        self._unit = clip * noise_multiplier / _SIGMA
        n_values = sum(value.numel() for value in self._parameters.values())
        self._limits = _limits(noise_multiplier, n_values)
        self._chunk = max(1, min(_MAX_ROWS, _MAX_VALUES // n_values))
        self._gaussian = DiscreteGaussian(_SIGMA)
        self._key = new_key()
        self._steps = steps_before

    @property
    def steps(self) -> int:
        """Steps that were made, those before included."""
        return self._steps

    @property
    def noisy_steps(self) -> NoisySteps:
        """What was done, for `TrainResult`.

        Raises:
            ObjectInvalid: no step was made.
        """
        return NoisySteps(self._noise_multiplier, self._rate, self._steps)

    def steps_of(self, epochs: float) -> int:
        """Steps after which each row is expected to have been taken so often."""
        return max(1, math.ceil(epochs / self._rate))

    def set_gradients(self, inputs: Any, targets: Any) -> int:
        """Makes one step's gradients and puts them where an optimizer finds them.

        Terms of the loss that depend on no row, as FedProx's, may be added afterwards
        by `backward()`.

        Args:
            inputs: of all rows, the first dimension.
            targets: of all rows.

        Returns:
            How many rows took part. The number is a secret of the data's as well.

        Raises:
            UsageError: other numbers of rows than were said.
        """
        import torch

        if len(inputs) != self._n_rows or len(targets) != self._n_rows:
            raise UsageError(f"{len(inputs)} rows were given, {self._n_rows} were said")
        rows = self._draw_rows()
        sums = self._sums(inputs, targets, rows)
        expected = self._rate * self._n_rows
        for name, value in self._parameters.items():
            noise = noise_of(
                *(self._gaussian, self._key, f"{self._steps} noise {name}"),
                tuple(value.shape),
            )
            # A sum of single numbers is no array any more.
            total = np.asarray((sums[name] + noise) * (self._unit / expected))
            value.grad = torch.from_numpy(total).to(value.device, value.dtype)
        self._steps += 1
        return len(rows)

    def _draw_rows(self) -> npt.NDArray[np.int64]:
        """Each row with the same chance, on its own."""
        if self._rate >= 1:
            return np.arange(self._n_rows)
        stream = RandomStream(self._key, f"{self._steps} rows")
        drawn = np.frombuffer(stream.read(8 * self._n_rows), "<u8")
        return np.flatnonzero(drawn < np.uint64(int(self._rate * 2**64)))

    def _sums(
        self, inputs: Any, targets: Any, rows: npt.NDArray[np.int64]
    ) -> dict[str, npt.NDArray[np.int64]]:
        """Sums of the clipped gradients of some rows, in units."""
        import torch

        sums = {
            name: np.zeros(tuple(value.shape), np.int64)
            for name, value in self._parameters.items()
        }
        one_row = _gradient_of_a_row(self._model, self._loss)
        given = {name: value.detach() for name, value in self._parameters.items()}
        others = _others(self._model, given)
        for at in range(0, len(rows), self._chunk):
            part = torch.from_numpy(rows[at : at + self._chunk])
            gradients = one_row(
                given,
                others,
                inputs[part.to(inputs.device)],
                targets[part.to(targets.device)],
            )
            for name, values in self._in_units(gradients).items():
                sums[name] += values
        return sums

    def _in_units(
        self, gradients: Mapping[str, Any]
    ) -> dict[str, npt.NDArray[np.int64]]:
        """Gradients of each row, clipped, as whole numbers, added up."""
        shrink_to, limit_sq = self._limits
        # On the processor: not every device has float64.
        plain = {
            name: value.detach().cpu().double().numpy() / self._unit
            for name, value in gradients.items()
        }
        lengths = np.sqrt(sum(_squares(one) for one in plain.values()))
        # Infinity and NaN give 0, whatever row they come from.
        usable = np.isfinite(lengths)
        factor = np.where(
            usable, np.minimum(1, shrink_to / np.maximum(lengths, shrink_to)), 0
        )
        whole = {
            name: np.rint(np.where(_like(usable, one), one, 0) * _like(factor, one))
            for name, one in plain.items()
        }
        # Rounding took its share already; this holds whatever the arithmetic did.
        kept = np.asarray(sum(_squares(one) for one in whole.values())) <= limit_sq
        return {
            name: (one * _like(kept, one)).astype(np.int64).sum(axis=0)
            for name, one in whole.items()
        }


def _limits(noise_multiplier: float, n_values: int) -> tuple[float, float]:
    """Length that gradients are clipped to before rounding; its square after it.

    Rounding to whole numbers moves a gradient by at most half the root of its length.
    """
    limit = _SIGMA / noise_multiplier
    before = limit - math.sqrt(n_values) / 2
    if before < limit / 2:
        raise UsageError(
            f"noise of {noise_multiplier:g} times the clip is too much for {n_values} "
            f"values"
        )
    return before, math.floor(limit**2)


def _squares(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum of squares of each row."""
    flat = values.reshape(len(values), -1)
    squares: npt.NDArray[np.float64] = np.einsum("ij,ij->i", flat, flat)
    return squares


def _like(
    per_row: npt.NDArray[Any], values: npt.NDArray[np.float64]
) -> npt.NDArray[Any]:
    return per_row.reshape(-1, *[1] * (values.ndim - 1))


def _check_model(model: Any) -> None:
    from torch import nn

    batch_norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    for name, module in model.named_modules():
        # In training they make the output of a row depend on all others.
        mixes = isinstance(module, batch_norms) or getattr(
            module, "track_running_stats", False
        )
        if mixes and module.training:
            kind = type(module).__name__
            raise UsageError(
                f"layer {name!r} is a {kind}, which mixes rows; GroupNorm does not, "
                f"nor does a {kind} in eval()"
            )


def _others(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that are not trained, and buffers."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: value.detach() for name, value in named if name not in given}


def _gradient_of_a_row(model: Any, loss: Loss) -> Any:
    """Gives the function from parameters and rows to the gradients of each row."""
    from torch.func import functional_call, grad, vmap

    def loss_of_row(given: Any, others: Any, one: Any, target: Any) -> Any:
        output = functional_call(model, (given, others), (one.unsqueeze(0),))
        return loss(output, target.unsqueeze(0))

    return vmap(grad(loss_of_row), (None, None, 0, 0), randomness="different")
