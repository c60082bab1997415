"""Finds the commit after which a metric fell, by binary search over a branch's line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flair_client.context import Context
from flair_client.data_sources import DataSource
from flair_client.errors import UsageError
from flair_client.history.graph import read_commit, walk
from flair_client.ids import Address, CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.evaluate import Evaluated, evaluate
from flair_client.porcelain.reading import Reading, reading_here
from flair_client.site_metrics import is_lower_better
from flair_client.store.base import Store
from flair_client.training.data import ColumnMap
from flair_client.workspace import Workspace


@dataclass(frozen=True, slots=True)
class BisectStep:
    """One commit that was looked at.

    Attributes:
        value: of the metric there.
        is_good: by the bound.
        is_known: whether it had been measured before.
    """

    commit: CommitId
    value: float
    is_good: bool
    is_known: bool


@dataclass(frozen=True, slots=True)
class BisectUpdate:
    """An update in the commit that was found."""

    commit: CommitId
    author: Address
    weight: int


@dataclass(frozen=True, slots=True)
class Bisected:
    """Where a metric fell.

    Attributes:
        lower_is_better: of the metric; the bound is then the most that is good.
        bound: what separates good from bad.
        good: the newest good commit before the fall.
        bad: the commit after it, which is not good.
        kind: of the bad commit.
        updates: that it merged.
        steps: every commit that was looked at, in the order of the search.
        next_command: what takes the bad commit back; None where it is no merge.
    """

    metric: str
    lower_is_better: bool
    bound: float
    good: CommitId
    good_value: float
    bad: CommitId
    bad_value: float
    kind: CommitKind
    message: str
    updates: tuple[BisectUpdate, ...]
    steps: tuple[BisectStep, ...]
    next_command: str | None


def bisect(
    ctx: Context,
    workspace: Workspace,
    data: DataSource | Path,
    metric: str,
    *,
    good: str | None = None,
    bad: str | None = None,
    below: float | None = None,
    column_map: ColumnMap | None = None,
    device: str = "auto",
    sandbox: bool = True,
    on_step: Callable[[BisectStep], None] = lambda _: None,
) -> Bisected:
    """Searches the first-parent line between a good and a bad commit.

    What was measured on these rows before is not measured again. Where the metric goes
    up and down in between, one of its falls is found.

    Args:
        ctx: the chain is not asked; nothing is signed.
        workspace: a clone.
        data: rows of one's own.
        metric: its name.
        good: names the earlier commit; the root without it.
        bad: names the later commit; HEAD without it.
        below: the value that a good commit has at least, or at most where a smaller
            one is better; without it halfway between the two ends.
        column_map: as for `flair evaluate`.
        device: likewise.
        sandbox: likewise.
        on_step: told of each commit at once.

    Raises:
        UsageError: the good commit is not before the bad one, nothing measures this
            metric, or the two ends are not good and bad.
        RefUnknown: there is no such commit.
        DataError, TrustRequired, RecipeFailed: as `flair evaluate`.
    """
    reading = reading_here(ctx, workspace)
    line = _line(reading, good, bad)
    lower = is_lower_better(metric)

    def value_at(commit_id: CommitId) -> tuple[float, bool]:
        found = evaluate(
            ctx,
            workspace,
            data,
            ref=str(commit_id),
            column_map=column_map,
            device=device,
            sandbox=sandbox,
            again=False,
        )
        return _metric(found, metric), found.is_known

    search = _Search(metric, below, value_at, on_step, lower=lower)
    at = search.run(line)
    return _found(reading.store, search, line, at)


def _line(reading: Reading, good: str | None, bad: str | None) -> list[CommitId]:
    """The commits from the good to the bad one, oldest first."""
    newest = reading.resolve(bad)
    oldest = None if good is None else reading.resolve(good)
    line = []
    for commit_id, _ in walk(reading.store, newest, first_parent=True):
        line.append(commit_id)
        if commit_id == oldest:
            break
    if oldest is not None and line[-1] != oldest:
        raise UsageError(f"{oldest.short} is not on the line before {newest.short}")
    if len(line) == 1:
        raise UsageError(f"there is no commit between {newest.short} and itself")
    return line[::-1]


def _metric(found: Evaluated, name: str) -> float:
    if name not in found.metrics:
        known = ", ".join(sorted(found.metrics)) or "none"
        raise UsageError(
            f"commit {found.commit.short} has no metric {name!r} here; it has {known}"
        )
    return found.metrics[name]


@dataclass(slots=True)
class _Search:
    """A binary search and what it has seen."""

    metric: str
    bound: float | None
    value_at: Callable[[CommitId], tuple[float, bool]]
    on_step: Callable[[BisectStep], None]
    lower: bool
    steps: list[BisectStep] = field(default_factory=list)

    def run(self, line: Sequence[CommitId]) -> int:
        """Gives the place of the first bad commit."""
        ends = [(one, *self.value_at(one)) for one in (line[0], line[-1])]
        if self.bound is None:
            self.bound = (ends[0][1] + ends[1][1]) / 2
            if not self._is_better(ends[0][1], ends[1][1]):
                raise UsageError(
                    f"{self.metric} did not fall: {ends[0][1]:.6g} at "
                    f"{line[0].short}, {ends[1][1]:.6g} at {line[-1].short}"
                )
        for one, value, is_known in ends:
            self._see(one, value, is_known=is_known)
        self._check_ends()
        low, high = 0, len(line) - 1
        while high - low > 1:
            middle = (low + high) // 2
            value, is_known = self.value_at(line[middle])
            if self._see(line[middle], value, is_known=is_known):
                low = middle
            else:
                high = middle
        return high

    def _see(self, commit_id: CommitId, value: float, *, is_known: bool) -> bool:
        step = BisectStep(commit_id, value, self._is_good(value), is_known)
        self.steps.append(step)
        self.on_step(step)
        return step.is_good

    def _check_ends(self) -> None:
        first, last = self.steps
        if not first.is_good:
            raise UsageError(
                f"{first.commit.short} is not good already: {self.metric} "
                f"{first.value:.6g}, the bound is {self.bound:.6g}"
            )
        if last.is_good:
            raise UsageError(
                f"{last.commit.short} is not bad: {self.metric} {last.value:.6g}, "
                f"the bound is {self.bound:.6g}"
            )

    def _is_good(self, value: float) -> bool:
        bound = 0.0 if self.bound is None else self.bound
        return value <= bound if self.lower else value >= bound

    def _is_better(self, value: float, other: float) -> bool:
        return value < other if self.lower else value > other


def _found(
    store: Store, search: _Search, line: Sequence[CommitId], at: int
) -> Bisected:
    values = {step.commit: step.value for step in search.steps}
    bad = line[at]
    commit = read_commit(store, bad)
    # A merge of models is no sum of updates that could be taken out.
    is_merge = commit.kind is CommitKind.MERGE and not commit.merges_models
    updates: tuple[BisectUpdate, ...] = ()
    if is_merge:
        strategy = commit.strategy
        weights = () if strategy is None else strategy.weights
        updates = tuple(
            BisectUpdate(one, read_commit(store, one).author, weight)
            for one, weight in zip(commit.parents[1:], weights, strict=False)
        )
    return Bisected(
        search.metric,
        search.lower,
        search.bound or 0.0,
        line[at - 1],
        values[line[at - 1]],
        bad,
        values[bad],
        commit.kind,
        commit.message,
        updates,
        tuple(search.steps),
        f"flair revert {bad.short}" if is_merge else None,
    )
