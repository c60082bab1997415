"""One repository: its branches, one after the other, and patience after failures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from flair_aggregator.branch import BranchWorker
from flair_aggregator.settings import Options
from flair_aggregator.world import World
from flair_client.errors import AccountMissing, ClusterMismatch, FlairError
from flair_client.porcelain.target import called


@dataclass(slots=True)
class Backoff:
    """Pauses that double with each failure in a row, up to a limit."""

    options: Options
    now_s: Callable[[], float]
    _pause_s: float = 0.0
    _until_s: float | None = None

    def is_waiting(self) -> bool:
        """Whether it is too early to try again."""
        return self._until_s is not None and self.now_s() < self._until_s

    def failed(self) -> None:
        """Notes a failure: the pause begins."""
        doubled = max(2 * self._pause_s, self.options.backoff_s)
        self._pause_s = min(doubled, self.options.backoff_limit_s)
        self._until_s = self.now_s() + self._pause_s

    def worked(self) -> None:
        """Notes that it worked."""
        self._pause_s, self._until_s = 0.0, None


@dataclass(slots=True)
class RepoWorker:
    """Works on the branches of one repository.

    Attributes:
        branches: names; None for every branch that there is.
        patient: a failure is told and tried again later instead of being raised.
    """

    world: World
    branches: tuple[str, ...] | None
    patient: bool = True
    _workers: dict[str, BranchWorker] = field(default_factory=dict)
    _backoffs: dict[str, Backoff] = field(default_factory=dict)

    def tick(self) -> None:
        """Does what can be done now on every branch.

        Raises:
            FlairError: something failed and we are not patient.
        """
        self._try("", self._tick_all)

    def _tick_all(self) -> None:
        world = self.world
        with called(world.repo, f"{world.name!r} at {world.repo}"):
            event_seq = world.ctx.chain.repo(world.repo).event_seq
        if not self._is_due(event_seq):
            return
        evidence = world.follower.read()
        for branch in self.branches or tuple(evidence.branches):
            worker = self._workers.setdefault(branch, BranchWorker(world, branch))
            if world.should_stop():
                return
            if worker.is_due(event_seq):
                self._try(branch, partial(self._tick_branch, worker))

    def _tick_branch(self, worker: BranchWorker) -> None:
        worker.tick(self.world.follower.read())

    def _is_due(self, event_seq: int) -> bool:
        """Whether a look is worth it; a new branch shows by its event."""
        if not self._workers:
            return True
        return any(worker.is_due(event_seq) for worker in self._workers.values())

    def _is_hopeless(self, error: FlairError) -> bool:
        """Whether it was never right: a wrong address or network, at the start."""
        return isinstance(error, AccountMissing | ClusterMismatch) and not self._workers

    def _try(self, branch: str, action: Callable[[], None]) -> None:
        world = self.world
        backoff = self._backoffs.setdefault(branch, Backoff(world.options, world.now_s))
        if backoff.is_waiting():
            return
        topic = f"{branch}: trouble" if branch else "trouble"
        try:
            action()
        except FlairError as exc:
            if not self.patient or self._is_hopeless(exc):
                raise
            backoff.failed()
            world.say(topic, f"{exc}; trying again, less and less often")
        else:
            backoff.worked()
            world.say(topic, "")
