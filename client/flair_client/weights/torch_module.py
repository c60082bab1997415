"""What a PyTorch module says about its tensors: values, ties, and what each of them is.

The module is the user's own, in this process; nothing here loads code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flair_client.errors import TensorMismatch, UsageError
from flair_client.weights.foreign import ForeignWeights
from flair_client.weights.proposals import TensorKind
from flair_client.weights.torch_file import import_torch, state_dict_weights


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """A module's tensors.

    Attributes:
        weights: as the module has them now.
        kinds: what each name in its state dict is.
    """

    weights: ForeignWeights
    kinds: Mapping[str, TensorKind]


def describe_module(module: Any) -> ModuleFacts:
    """Looks at a module.

    Raises:
        UsageError: it is no `torch.nn.Module`.
        ObjectInvalid: a tensor has no place in a model.
        ExtraMissing: PyTorch is not installed.
    """
    torch = import_torch()
    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"{type(module).__name__} is no torch.nn.Module")
    kinds: dict[str, TensorKind] = {}
    state = module.state_dict(keep_vars=True)
    for name, tensor in state.items():
        if isinstance(tensor, torch.nn.Parameter):
            trained = tensor.requires_grad
            kinds[name] = TensorKind.PARAMETER if trained else TensorKind.FIXED
        else:
            kinds[name] = TensorKind.BUFFER
    norm = torch.nn.modules.batchnorm._NormBase  # noqa: SLF001 - their common base
    for prefix, part in module.named_modules():
        if isinstance(part, norm):
            for name, _ in part.named_buffers(recurse=False):
                kinds[f"{prefix}.{name}" if prefix else name] = TensorKind.NORM
    return ModuleFacts(state_dict_weights(state), kinds)


def check_names(expected: ForeignWeights, given: ForeignWeights) -> None:
    """Refuses weights of another module; dtypes may differ, as they may in PyTorch.

    Raises:
        TensorMismatch: names the first tensor that differs.
    """
    ours = {one.name: list(one.shape) for one in expected.tensors}
    theirs = {one.name: list(one.shape) for one in given.tensors}
    for name in sorted(ours.keys() | theirs.keys()):
        wanted = f"shape {ours[name]}" if name in ours else "nothing"
        got = f"shape {theirs[name]}" if name in theirs else "nothing"
        if wanted != got:
            raise TensorMismatch(name, wanted, got)
