"""SCAFFOLD's correction of a contributor's gradients, for whatever framework trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flair_client.errors import UsageError

UNUSED: Final = (
    "the policy's strategy is scaffold, and the gradients were never corrected: "
    "ctx.correct_gradients() or ctx.gradient_correction()"
)


@dataclass(slots=True)
class Correction:
    """What is added to every gradient: `c - c_i`, the server's variate less one's own.

    Attributes:
        rate: local steps times their learning rate, by the policy.
        values: of the trained tensors by name, of their shapes; tied names are there
            twice.
        is_used: whether any was asked for.
    """

    rate: float
    values: dict[str, Any]
    is_used: bool = False

    def step_size(self, n_steps: int) -> float:
        """The learning rate with which so many plain steps are the policy's rate.

        Raises:
            UsageError: no step at all.
        """
        if n_steps < 1:
            raise UsageError(f"{n_steps} steps cannot be made")
        return self.rate / n_steps

    def of(self, name: str) -> Any:
        """Of one tensor; 0.0 where it is not trained."""
        self.is_used = True
        return self.values.get(name, 0.0)

    def add_to(self, parameters: Mapping[str, Any]) -> None:
        """Adds it to the gradients of PyTorch's parameters, in place."""
        self.is_used = True
        for name, parameter in parameters.items():
            gradient = getattr(parameter, "grad", None)
            if gradient is None or name not in self.values:
                continue
            value = self.values[name]
            # Once: the model may lie on another device, in another precision.
            value = value.to(device=gradient.device, dtype=gradient.dtype)
            self.values[name] = value
            gradient.add_(value)


def correction_from(
    rate: float, values: Mapping[str, Any], ties: Mapping[str, str]
) -> Correction:
    """With the values as they were read from a file, and other names of them."""
    named = dict(values)
    for left_out, kept in ties.items():
        if kept in named:
            named[left_out] = named[kept]
    return Correction(rate, named)
