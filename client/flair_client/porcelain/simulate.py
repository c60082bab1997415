"""How strategies withstand attacks: rounds of a small model on public data, in memory.

Nothing is sent or written. Updates are clipped, rounded and merged by the code that
real rounds use; only who trains is made up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from flair_client.arithmetic import FloatArray, Int16Array, IntArray, from_fixed
from flair_client.delta_integers import make_integers
from flair_client.errors import DataError, ExtraMissing, TooFewUpdates, UsageError
from flair_client.history.merge_arrays import MergedArray, merge_arrays
from flair_client.objects import DType
from flair_client.porcelain.init import columns_from_csv
from flair_client.porcelain.simulate_attacks import (
    ATTACKS,
    Attack,
    Crowd,
    Labels,
    with_trigger,
)
from flair_client.strategies import STRATEGIES, Choice, Strategy, get_strategy
from flair_client.strategies.parameters import ONE_Q48, from_numbers
from flair_client.strategies.scaffold import RATE, moved
from flair_client.training.data import load_table
from flair_client.training.logistic_regression import fit, n_steps, probability

_SCALE_EXP: Final = -13
_ETA_ONE: Final = 1 << 24
# Steps of adaptive strategies are about eta long, whatever the updates are.
_ETA: Final[Mapping[str, float]] = {
    "fedavgm": 0.5,
    "fedadam": 0.1,
    "fedyogi": 0.1,
    "fedadagrad": 0.1,
}
_TEST_SHARE: Final = 0.3
# A site with fewer rows trains on noise.
_MIN_ROWS: Final = 4
_LEARNING_RATE: Final = 0.05
_BATCH_SIZE: Final = 8


Merge: TypeAlias = Callable[
    [Choice, IntArray, Sequence[tuple[int, Int16Array]], tuple[FloatArray, ...]],
    MergedArray,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Who takes part in a simulation.

    Attributes:
        n_contributors: all together.
        n_hostile: how many of them attack; the first ones.
        rounds: merges.
        norm_bound: of the policy, in units of the weights; None for √(values).
        seed: of the split over contributors and the order of rows.
    """

    n_contributors: int = 10
    n_hostile: int = 2
    rounds: int = 10
    epochs: int = 2
    norm_bound: float | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """One strategy under one attack.

    Attributes:
        accuracy: on rows that nobody trained on; None where the strategy refused.
        backdoor: share of the 0 rows that the trigger turns into 1; only for attacks
            that want that.
    """

    strategy: str
    attack: str
    accuracy: float | None
    backdoor: float | None = None


@dataclass(frozen=True, slots=True)
class Simulated:
    """How strategies withstood attacks.

    Attributes:
        data: what was trained on.
        refused: why a strategy could not take part, by its name.
    """

    data: str
    setting: Setting
    n_train: int
    n_test: int
    cells: tuple[Cell, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rows:
    """Public rows: standardised inputs and labels.

    Attributes:
        x: shape [rows, columns].
        y: 0 or 1, shape [rows].
    """

    name: str
    x: FloatArray
    y: Labels


def simulate(
    rows: Rows,
    setting: Setting,
    *,
    attacks: Sequence[str] = (),
    strategies: Sequence[str] = (),
    merge: Merge = merge_arrays,
) -> Simulated:
    """Runs every strategy under every attack.

    Args:
        rows: public data.
        setting: who takes part.
        attacks: names; all where there are none.
        strategies: names; all where there are none.
        merge: merges a round; another one is for comparisons.

    Raises:
        UsageError: an unknown name, or numbers that cannot be.
        DataError: fewer rows than contributors need.
    """
    chosen = [get_strategy(name) for name in strategies or STRATEGIES]
    wanted = [_attack(name) for name in attacks or ATTACKS]
    _check(setting)
    sites = _Sites(rows, setting, merge)
    refused: dict[str, str] = {}
    cells: list[Cell] = []
    for strategy in chosen:
        try:
            choice = sites.choice(strategy)
            strategy.require(setting.n_contributors, choice.params)
        except TooFewUpdates as exc:
            refused[strategy.id] = str(exc)
            cells += [Cell(strategy.id, attack.name, None) for attack in wanted]
            continue
        cells += [sites.run(choice, attack) for attack in wanted]
    return Simulated(
        rows.name, setting, sites.n_train, sites.n_test, tuple(cells), refused
    )


def breast_cancer() -> Rows:
    """The breast-cancer set that comes with scikit-learn: 569 rows, 30 columns.

    Raises:
        ExtraMissing: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_breast_cancer
    except ImportError as exc:
        raise ExtraMissing("sklearn", "is not installed") from exc
    x, y = load_breast_cancer(return_X_y=True)
    return Rows("breast cancer (Wisconsin)", _standardised(x), y.astype(np.int8))


def rows_from_csv(path: Path, target: str) -> Rows:
    """A file's columns of numbers, and one of 0 and 1; a missing value is the mean.

    Raises:
        DataError: the file cannot be used.
    """
    table = load_table(path, columns_from_csv(path, target), target)
    labels = np.asarray(table.y)
    if not np.isin(labels, (0, 1)).all():
        raise DataError(f"{path}: column {target!r} is not all 0 and 1")
    return Rows(path.name, _standardised(table.x), labels.astype(np.int8))


def _standardised(x: FloatArray) -> FloatArray:
    deviation = np.nanstd(x, axis=0)
    scaled = (x - np.nanmean(x, axis=0)) / np.where(deviation == 0, 1.0, deviation)
    filled: FloatArray = np.nan_to_num(scaled, nan=0.0)
    return filled


def _attack(name: str) -> Attack:
    if name not in ATTACKS:
        raise UsageError(
            f"there is no attack {name!r}; there are: {', '.join(ATTACKS)}"
        )
    return ATTACKS[name]


def _check(setting: Setting) -> None:
    if not 2 <= setting.n_contributors <= 64:
        raise UsageError("there are 2 to 64 contributors")
    if not 0 <= setting.n_hostile < setting.n_contributors:
        raise UsageError("at least one contributor is honest")
    if setting.rounds < 1 or setting.epochs < 1:
        raise UsageError("there is at least one round of one epoch")
    if setting.norm_bound is not None and not setting.norm_bound > 0:
        raise UsageError("the norm bound is above zero")


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a policy says about deltas."""

    bits: int
    scale_exp: int
    n_params: int
    norm_bound_sq: int


class _Sites:
    """The contributors and their rows; the model is one vector, its bias last."""

    def __init__(self, rows: Rows, setting: Setting, merge: Merge) -> None:
        self._setting = setting
        self._merge = merge
        numbers = np.random.Generator(np.random.PCG64(setting.seed))
        order = numbers.permutation(len(rows.y))
        self.n_test = int(len(order) * _TEST_SHARE)
        self.n_train = len(order) - self.n_test
        if self.n_train < _MIN_ROWS * setting.n_contributors or not self.n_test:
            raise DataError(
                f"{rows.name}: {len(order)} rows are too few for "
                f"{setting.n_contributors} contributors"
            )
        test, train = order[: self.n_test], order[self.n_test :]
        self._test = rows.x[test], rows.y[test]
        shares = np.array_split(train, setting.n_contributors)
        self._shares = [(rows.x[share], rows.y[share]) for share in shares]
        n_values = rows.x.shape[1] + 1
        bound = setting.norm_bound or float(np.sqrt(n_values))
        in_units = int((bound * 2.0**-_SCALE_EXP) ** 2)
        self._bounds = _Bounds(16, _SCALE_EXP, n_values, max(in_units, 1))

    def choice(self, strategy: Strategy) -> Choice:
        """The strategy, told how many are hostile and how long updates are."""
        given: dict[str, float] = {}
        names = [one.name for one in strategy.parameters]
        if "f" in names:
            given["f"] = self._setting.n_hostile
        if "norm" in names:
            given["norm"] = self._usual_length()
        if "rate" in names:
            given["rate"] = self._steps(len(self._shares[0][1])) * _LEARNING_RATE
        params = from_numbers(strategy.id, strategy.parameters, given)
        eta = round(_ETA.get(strategy.id, 1.0) * _ETA_ONE)
        return Choice(strategy, params, eta, _SCALE_EXP)

    def run(self, choice: Choice, attack: Attack) -> Cell:
        """All rounds; gives what the last model is worth."""
        n_values = self._bounds.n_params
        state = np.zeros(n_values, np.int64)
        moments = tuple(np.zeros(n_values) for _ in choice.strategy.moments)
        variates = _Variates(choice, len(self._shares), n_values)
        for index in range(self._setting.rounds):
            weights = _floats(state)
            corrections = variates.corrections(moments)
            made = self._updates(weights, attack, index, variates.rate, corrections)
            merged = self._merge(choice, state, [(1, one) for one in made], moments)
            variates.move(moments, made)
            state, moments = merged.values, merged.moments
        return self._score(_floats(state), choice.strategy, attack)

    def _updates(
        self,
        weights: FloatArray,
        attack: Attack,
        index: int,
        rate: float,
        corrections: FloatArray,
    ) -> list[Int16Array]:
        n_hostile = 0 if attack.name == "none" else self._setting.n_hostile
        trained = []
        for number, (x, y) in enumerate(self._shares):
            rows = attack.rows(x, y) if number < n_hostile else (x, y)
            steps = rate / self._steps(len(rows[1])) if rate else _LEARNING_RATE
            trained.append(
                self._train(
                    *(weights, *rows, steps, corrections[number]),
                    seed=index * 64 + number,
                )
            )
        honest = np.stack(trained[n_hostile:])
        hostile = []
        if n_hostile:
            hostile = list(attack.updates(Crowd(np.stack(trained[:n_hostile]), honest)))
        return [self._rounded(one) for one in (*hostile, *honest)]

    def _steps(self, n_rows: int) -> int:
        return n_steps(n_rows, self._setting.epochs, _BATCH_SIZE)

    def _train(
        self,
        weights: FloatArray,
        x: FloatArray,
        y: Labels,
        learning_rate: float,
        correction: FloatArray,
        *,
        seed: int,
    ) -> FloatArray:
        result = fit(
            x,
            y,
            weights[:-1],
            weights[-1:],
            epochs=self._setting.epochs,
            learning_rate=learning_rate,
            batch_size=_BATCH_SIZE,
            l2=0.0,
            seed=self._setting.seed * 65_536 + seed,
            correction=(correction[:-1], correction[-1:]),
        )
        difference: FloatArray = np.concatenate([result.weight, result.bias]) - weights
        return difference

    def _rounded(self, update: FloatArray) -> Int16Array:
        return make_integers({"model": update}, self._bounds)["model"]

    def _usual_length(self) -> float:
        """Half the median length of an update in the first round.

        Later updates are shorter, and a hostile one is cut to the same.
        """
        start = np.zeros(self._bounds.n_params)
        updates = (
            self._train(start, x, y, _LEARNING_RATE, start, seed=0)
            for x, y in self._shares
        )
        return float(np.median([np.linalg.norm(update) for update in updates])) / 2

    def _score(self, weights: FloatArray, strategy: Strategy, attack: Attack) -> Cell:
        x, y = self._test
        backdoor = None
        if attack.has_trigger:
            called = _called(with_trigger(x[y == 0]), weights)
            backdoor = float(np.mean(called)) if called.size else 0.0
        accuracy = float(np.mean(_called(x, weights) == y))
        return Cell(strategy.id, attack.name, accuracy, backdoor)


class _Variates:
    """SCAFFOLD's variate of each contributor; zeros under any other strategy."""

    def __init__(self, choice: Choice, n_contributors: int, n_values: int) -> None:
        self.rate = choice.params.get(RATE, 0) / ONE_Q48
        self._scale_exp = choice.scale_exp
        self._own = np.zeros((n_contributors, n_values))

    def corrections(self, moments: tuple[FloatArray, ...]) -> FloatArray:
        """What each adds to its gradients, shape [contributors, values]."""
        if not self.rate:
            return self._own
        corrections: FloatArray = moments[0] - self._own
        return corrections

    def move(
        self, moments: tuple[FloatArray, ...], updates: Sequence[Int16Array]
    ) -> None:
        """After a merge of updates that were trained with the server's variate."""
        if not self.rate:
            return
        for own, update in zip(self._own, updates, strict=True):
            delta = np.ldexp(update.astype(np.float64), self._scale_exp)
            own[:] = moved(own, delta, self.rate, 1.0, moments[0])


def _floats(state: IntArray) -> FloatArray:
    floats: FloatArray = from_fixed(state, _SCALE_EXP, DType.F64).astype(np.float64)
    return floats


def _called(x: FloatArray, weights: FloatArray) -> Labels:
    return (probability(x, weights[:-1], weights[-1:]) > 0.5).astype(np.int8)
