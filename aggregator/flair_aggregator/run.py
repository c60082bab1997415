"""Runs aggregators: once, or again and again until it is told to stop."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from flair_aggregator.budget import Budget
from flair_aggregator.follow import RepoFollower
from flair_aggregator.outbox import Outbox
from flair_aggregator.pending import Pending, RpcPending
from flair_aggregator.repo import RepoWorker
from flair_aggregator.settings import Options
from flair_aggregator.world import StepDone, World
from flair_client.chain.pdas import find_repo_pda
from flair_client.context import Context
from flair_client.repo_address import RepoAddress

if TYPE_CHECKING:
    from flair_aggregator.health import Health
    from flair_indexer.db import Database

# How soon a request to stop is seen, where no step is in hand.
_POLL_S: Final = 0.1
_SHOWN_STEPS: Final = 100


@dataclass(slots=True)
class Stop:
    """Set once it is time to end; a signal's handler may set it."""

    requested: bool = False


@dataclass(slots=True)
class Voice:
    """Tells people each sentence once.

    Attributes:
        note: says a sentence.
        warn: says one that somebody has to look at.
        detail: says one that only the curious want to hear.
        steps: the last things that were sent: a run may go on for months.
        n_taken: how many were taken in all.
        refused: the last one that the chain refused.
    """

    note: Callable[[str], None]
    warn: Callable[[str], None]
    detail: Callable[[str], None]
    steps: deque[StepDone] = field(default_factory=lambda: deque(maxlen=_SHOWN_STEPS))
    n_taken: int = 0
    refused: StepDone | None = None
    _said: dict[str, str] = field(default_factory=dict)

    def say(self, topic: str, sentence: str) -> None:
        """Says a sentence unless it is the last one about its topic."""
        if self._said.get(topic, "") != sentence and sentence:
            self.note(f"{topic}: {sentence}")
        self._said[topic] = sentence

    def report(self, repo: str, done: StepDone, sentence: str) -> None:
        """Tells of a step that was sent."""
        self.steps.append(done)
        where = f"{repo} {done.branch} round {done.round_index}"
        if done.outcome == "done":
            self.n_taken += 1
            self.note(f"{where}: {sentence}")
        elif done.outcome == "already done":
            self.detail(f"{where}: {done.step} was already done by somebody else")
        else:
            self.refused = done
            self.warn(f"{where}: {done.step} {done.outcome}")


def make_worker(
    ctx: Context,
    address: RepoAddress,
    branches: tuple[str, ...] | None,
    *,
    outbox: Outbox,
    options: Options,
    voice: Voice,
    stop: Stop,
    patient: bool = True,
    now_s: Callable[[], float] = time.monotonic,
    indexer: "Database | None" = None,
    health: "Health | None" = None,
) -> RepoWorker:
    """Prepares the work on one repository; asks nothing but a missing genesis hash.

    Raises:
        ChainError: the profile pins no cluster and the RPC does not answer.
    """
    repo = find_repo_pda(address.creator, address.name, ctx.program_id)[0]
    genesis_hash = ctx.network.genesis_hash or ctx.chain.rpc.get_genesis_hash()

    def say(topic: str, sentence: str) -> None:
        voice.say(f"{address.name} {topic}", sentence)
        if health is not None:
            health.said(f"{address.name} {topic}", sentence)

    world = World(
        ctx=ctx,
        repo=repo,
        name=address.name,
        genesis_hash=genesis_hash,
        follower=RepoFollower(ctx, repo, branches),
        pending=_pending(ctx, indexer, say),
        budget=Budget(outbox, ctx.wallet.address, ctx.now, options.lamports_per_day),
        outbox=outbox,
        options=options,
        say=say,
        report=lambda done, sentence: voice.report(address.name, done, sentence),
        now_s=now_s,
        should_stop=lambda: stop.requested,
        note_branch=(lambda *_: None) if health is None else health.note_branch,
    )
    return RepoWorker(world, branches, patient=patient)


def _pending(
    ctx: Context, indexer: "Database | None", say: Callable[[str, str], None]
) -> Pending:
    if indexer is None:
        return RpcPending(ctx.chain)
    # Most aggregators have no indexer beside them.
    from flair_aggregator.indexed import IndexedPending

    return IndexedPending(ctx.chain, indexer, lambda text: say("indexer", text))


def run_once(workers: Sequence[RepoWorker]) -> None:
    """Does everything that can be done now.

    Raises:
        FlairError: a worker that is not patient failed.
    """
    for worker in workers:
        worker.tick()


def run_until_stopped(
    workers: Sequence[RepoWorker],
    interval_s: float,
    stop: Stop,
    *,
    looked: Callable[[], None] = lambda: None,
) -> None:
    """Looks again and again; the step in hand is finished before it ends.

    Args:
        workers: what is looked at.
        interval_s: pause between two looks.
        stop: ends it.
        looked: called after each look.

    Raises:
        Exception: whatever a worker raised, which is a bug.
    """
    # It warns where a look takes longer than the interval, which is as it should be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    failures: list[Exception] = []

    def look() -> None:
        if stop.requested:
            return
        try:
            run_once(workers)
            looked()
        except Exception as exc:  # noqa: BLE001 - raised again in the main thread
            failures.append(exc)
            stop.requested = True

    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)}, timezone=UTC
    )
    scheduler.add_job(
        look,
        "interval",
        seconds=interval_s,
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
        next_run_time=datetime.now(UTC),
    )
    scheduler.start()
    try:
        while not stop.requested:
            time.sleep(_POLL_S)
    finally:
        stop.requested = True
        scheduler.shutdown(wait=True)
    if failures:
        raise failures[0]
