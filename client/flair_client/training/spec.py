"""What is handed to the child process that runs a recipe's code, as a file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

RESULT_FILE: Final = "result.json"
RESULT_WEIGHTS: Final = "result.safetensors"
# How the child ends where its own code knows why; others are the system's.
EXIT_RECIPE: Final = 3
EXIT_DATA: Final = 4


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run of a recipe's code; paths are absolute.

    Attributes:
        recipe: folder with `flair.toml` and the code.
        base: safetensors file of the weights to begin with.
        scratch: the one folder that the child may write.
        source: the data source, as `data_sources` writes it.
        ties: names that are other names of a tensor, and that tensor's name.
        trained: names of the tensors that are to be trained.
        device: `auto`, `cpu`, `cuda` or `mps`.
        epochs, batch_size: the recipe's, within the policy's bounds.
        is_statistics: whether the round collects statistics.
        is_evaluation: whether the weights are measured, and nothing is trained.
        correction: safetensors file of SCAFFOLD's correction; empty where there is
            none.
        rate: of the policy, for it.
    """

    recipe: str
    base: str
    scratch: str
    source: Mapping[str, Any]
    ties: Mapping[str, str]
    trained: tuple[str, ...]
    seed: int
    device: str
    epochs: int
    batch_size: int
    round_index: int
    is_statistics: bool = False
    is_evaluation: bool = False
    correction: str = ""
    rate: float = 0.0

    def save(self, path: Path) -> None:
        """Writes it."""
        path.write_text(json.dumps(asdict(self), sort_keys=True), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote."""
        fields = json.loads(path.read_text("utf-8"))
        fields["trained"] = tuple(fields["trained"])
        return cls(**fields)
