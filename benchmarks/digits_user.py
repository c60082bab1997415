"""What a user of benchmarks/digits.py brings: a network, data, and edits of train.py.

Nothing here knows Flair but the plain run, which borrows the context of a recipe so
that both runs train with the very same function.
"""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

N_SITES: Final = 3
_SPLIT_SEED: Final = 0
_MIX_SEED: Final = 7
# Shares of each digit by a Dirichlet distribution: some sites hardly have some digits.
_CONCENTRATION: Final = 1.0

NETWORK: Final = '''"""A convolutional network for pictures of 8 by 8."""

import torch
from torch import nn


def block(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            block(1, 64),
            block(64, 96),
            nn.MaxPool2d(2),
            block(96, 128),
            nn.MaxPool2d(2),
        )
        self.classes = nn.Linear(128 * 4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classes(self.features(x).flatten(1))
'''

# Text of the train.py that `flair init --torch` writes, and what the user makes of it.
EDITS: Final = (
    (
        "\n\ndef loss_of(",
        '''

torch.set_num_threads(1)  # three sites share two processors here


def shifted(x):
    """Each picture moved by up to one pixel."""
    dy, dx = torch.randint(-1, 2, (2, len(x), 1), device=x.device)
    rows = (torch.arange(8) + dy).clamp(0, 7)
    columns = (torch.arange(8) + dx).clamp(0, 7)
    number = torch.arange(len(x))[:, None, None]
    return x[number, 0, rows[:, :, None], columns[:, None, :]][:, None]


def loss_of(''',
    ),
    ("model(x[rows])", "model(shifted(x[rows]))"),
)

PLAIN: Final = '''"""The same training without Flair: ROWS BASE RESULT.

Each line of the standard input is a number of rounds to go on for.
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file

from flair_client.training.doors import TrainContext, TrainData
from train import train

rows, base, result = sys.argv[1:4]
with np.load(rows) as arrays:
    data = TrainData({name: arrays[name] for name in ("x", "y")}, "y")
weights = load_file(base)

def go_on(number):
    global weights
    ctx = TrainContext(
        seed=number, device="cpu", epochs=EPOCHS, batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE, l2=0.0, prox_mu=0.0, early_stop_patience=0,
        options={}, round_index=number + 1, is_statistics=False,
        scratch=Path(result).parent, base=weights, trained=frozenset(weights),
    )
    weights = dict(train({k: v.clone() for k, v in weights.items()}, data, ctx).weights)
    for left in ctx.scratch.glob("checkpoint*"):
        left.unlink()


n_done = 0
for line in sys.stdin:
    for number in range(n_done, n_done + int(line)):
        go_on(number)
    n_done += int(line)
    print(n_done, flush=True)
save_file({name: value.contiguous() for name, value in weights.items()}, result)
'''


def write_data(folder: Path) -> tuple[list[npt.NDArray[np.int64]], Path]:
    """Writes `site0.npz` and so on, `pooled.npz` and `test.npz`.

    Returns:
        How many pictures of each digit each site has, and the file for tests.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x = (digits.images[:, None] / 16).astype(np.float32)
    y = digits.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.25, random_state=_SPLIT_SEED, stratify=y
    )
    parts = _shares(train, y)
    for name, rows in (
        *((f"site{number}", rows) for number, rows in enumerate(parts)),
        ("pooled", train),
        ("test", test),
    ):
        np.savez(folder / f"{name}.npz", x=x[rows], y=y[rows])
    counts = [np.bincount(y[rows], minlength=10) for rows in parts]
    return counts, folder / "test.npz"


def _shares(
    rows: npt.NDArray[np.int64], y: npt.NDArray[np.int64]
) -> list[npt.NDArray[np.int64]]:
    numbers = np.random.default_rng(_MIX_SEED)
    parts: list[list[npt.NDArray[np.int64]]] = [[] for _ in range(N_SITES)]
    for digit in range(10):
        own = numbers.permutation(rows[y[rows] == digit])
        shares = numbers.dirichlet([_CONCENTRATION] * N_SITES)
        cuts = (np.cumsum(shares) * len(own)).astype(int)[:-1]
        for part, taken in zip(parts, np.split(own, cuts), strict=True):
            part.append(taken)
    return [np.concatenate(part) for part in parts]
