"""The demo from an empty folder to a report: four hospitals, one model, one revert.

Chain, aggregator and hospitals are processes of their own; they meet on the chain
and in the shared store alone, as they would across the world.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import safetensors.numpy

from flair_client.context import Context
from flair_client.demo.chain import start_chain
from flair_client.demo.costs import chain_costs
from flair_client.demo.datasets import Dataset, load_dataset
from flair_client.demo.prepare import (
    AGGREGATOR,
    OWNER,
    address_of,
    card_text,
    check_folder,
    enter,
    make_recipe,
    prepare_folder,
    publish_model,
    write_data,
    write_home,
)
from flair_client.demo.reference import Score, score, train_alone
from flair_client.demo.report import Outcome
from flair_client.demo.sites import (
    Site,
    last_words,
    start_sites,
    together,
)
from flair_client.demo.traffic import CountingStore
from flair_client.errors import Refused, RpcTimeout, VerificationError
from flair_client.ids import Address, CommitId
from flair_client.porcelain.pull import pull
from flair_client.porcelain.revert import revert
from flair_client.porcelain.target import find_repo
from flair_client.porcelain.verify import verify
from flair_client.repo_address import RepoAddress
from flair_client.training.recipe import (
    TrainingRecipe,
)
from flair_client.workspace import Workspace, find_workspace

HONEST_LINE: Final = (
    "mode public: every single update is readable by everyone; this data is public"
)
_MERGE_TIMEOUT_S: Final = 120.0
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What to run.

    Attributes:
        data: folder with the files of a data set that does not come with Flair.
        folder: takes everything that the demo makes; an earlier demo in it goes.
        n_rounds: of training, after the round of statistics.
        kubo: the program of an IPFS node that is the shared store; without it that is
            a folder.
        validator: the program of a real node that is the chain; without it a localnet
            is.
    """

    dataset: str
    data: Path | None
    folder: Path
    n_rounds: int = 3
    kubo: Path | None = None
    validator: Path | None = None


@dataclass(frozen=True, slots=True)
class _Stage:
    """The demo while it runs."""

    plan: DemoPlan
    dataset: Dataset
    recipe: TrainingRecipe
    owner: Context
    repo: RepoAddress
    tell: Callable[[str], None]

    @property
    def folder(self) -> Path:
        return self.plan.folder

    @property
    def test(self) -> Path:
        return self.folder / "data" / "test.csv"

    @property
    def repo_account(self) -> Address:
        return find_repo(self.owner, self.repo).address


def _nothing(_outcome: Outcome) -> None:
    """What is done at the end where nobody says anything else."""


def run_demo(
    plan: DemoPlan,
    tell: Callable[[str], None],
    then: Callable[[Outcome], None] = _nothing,
) -> Outcome:
    """Runs the demo.

    Args:
        plan: what to run.
        tell: hears a line whenever something was done.
        then: called at the end, while chain, store, aggregator and sites still run.

    Raises:
        UsageError: no such data set, or the folder holds something else.
        DataError: a file of the data set is missing or another one.
        ChainError: the chain does not start.
        Refused: a participant's step failed; carries its message.
        VerificationError: the history does not check, which must never happen.
    """
    started = time.monotonic()
    check_folder(plan.folder)
    dataset = load_dataset(plan.dataset, plan.data)
    recipe = make_recipe(dataset)
    prepare_folder(plan.folder)
    write_data(plan.folder / "data", dataset)
    names = [hospital.name for hospital in dataset.hospitals]
    tell(f"{dataset.title}, at four hospitals")
    for hospital in dataset.hospitals:
        target = hospital.train[:, -1]
        tell(
            f"{hospital.name}: {target.size} rows, {target.mean():.0%} {dataset.target}"
        )
    with (
        start_chain(plan.folder, plan.validator, tell) as chain,
        _start_store(plan) as store,
    ):
        network = write_home(plan.folder, chain, store)
        if store is not None:
            tell(f"IPFS node at {store}")
        owner = enter(plan.folder, network, [OWNER, AGGREGATOR, *names])
        with closing(owner.chain):
            texts = recipe, card_text(dataset)
            repo = publish_model(plan.folder, owner, texts, names)
            tell(f"{OWNER} published {repo}")
            stage = _Stage(plan, dataset, recipe, owner, repo, tell)
            with (
                _start_aggregator(stage) as bot,
                start_sites(names, network, plan.folder) as sites,
            ):
                outcome = _play(stage, bot, sites, started)
                then(outcome)
                return outcome


@contextmanager
def _start_store(plan: DemoPlan) -> Iterator[str | None]:
    if plan.kubo is None:
        yield None
        return
    from flair_client.store.ipfs_daemon import run_kubo

    with run_kubo(plan.kubo, plan.folder / "ipfs") as node:
        yield node.url


@dataclass(frozen=True, slots=True)
class _Bot:
    child: "subprocess.Popen[bytes]"
    log: Path


@contextmanager
def _start_aggregator(stage: _Stage) -> Iterator[_Bot]:
    folder = stage.folder
    log = folder / "logs" / f"{AGGREGATOR}.log"
    log.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "flair_client.cli", "aggregator", "run"]
    command += ["--repo", str(stage.repo), "--interval", "1s"]
    command += ["--data", str(folder / AGGREGATOR)]
    command += ["--home", str(folder / "home"), "--wallet", AGGREGATOR]
    with (
        log.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 (our own command, no shell)
            command,
            # Somebody's workspace around the demo has settings of its own.
            cwd=folder.anchor,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        ) as child,
    ):
        try:
            yield _Bot(child, log)
        finally:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()


def _play(stage: _Stage, bot: _Bot, sites: Sequence[Site], started: float) -> Outcome:
    clones = [partial(site.do, "clone", repo=str(stage.repo)) for site in sites]
    together(clones)
    stage.tell(f"{', '.join(site.name for site in sites)} cloned and verified it")
    federated = []
    merges = []
    seconds = []
    for index in range(stage.plan.n_rounds + 1):
        begun = time.monotonic()
        merges.append(_round(stage, bot, sites, index))
        seconds.append(time.monotonic() - begun)
        if index > 0:
            federated.append(_score(stage))
            stage.tell(f"round {index}: {_described(federated[-1])}")
    last = sites[-1]
    undone = revert(
        stage.owner,
        find_workspace(stage.folder / OWNER),
        str(merges[-1]),
        contributor=address_of(stage.folder, last.name),
    )
    head = undone.commit or merges[-1]
    without = _score(stage)
    stage.tell(f"{OWNER} reverted {last.name}'s part of round {stage.plan.n_rounds}")
    stage.tell(f"without it: {_described(without)}")
    verified = _verify(stage, sites, head)
    local, pooled = _references(stage)
    costs = chain_costs(stage.owner.chain, stage.repo_account)
    return Outcome(
        dataset=stage.dataset,
        local=local,
        federated=tuple(federated),
        pooled=pooled,
        without=without,
        reverted=last.name,
        repo=str(stage.repo),
        head=str(head),
        verified=verified,
        compute_units=costs.compute_units,
        fee_lamports=costs.fee_lamports,
        rent_lamports=costs.rent_lamports,
        bytes_moved=_bytes_moved(stage, sites),
        round_seconds=tuple(seconds),
        seconds=time.monotonic() - started,
    )


def _round(stage: _Stage, bot: _Bot, sites: Sequence[Site], index: int) -> CommitId:
    """One round: everybody trains and pushes at once, the aggregator merges."""
    before = find_repo(stage.owner, stage.repo).branch("main").account.head_commit
    data = stage.folder / "data"

    def take_part(site: Site) -> int:
        if index > 0:
            site.do("pull")
        made = site.do("train", data=str(data / f"{site.name}.csv"), seed=index)
        site.do("commit", message=f"round {index} at {site.name}")
        site.do("push")
        return int(made["num_samples"])

    together([partial(take_part, site) for site in sites])
    what = "trained" if index else "measured means and deviations"
    stage.tell(f"round {index}: {len(sites)} hospitals {what} and pushed")
    merge = _wait_merged(stage, bot, before)
    pull(stage.owner, find_workspace(stage.folder / OWNER))
    stage.tell(f"round {index}: merged as {merge.short}")
    return merge


def _wait_merged(stage: _Stage, bot: _Bot, before: CommitId) -> CommitId:
    deadline = time.monotonic() + _MERGE_TIMEOUT_S
    while time.monotonic() < deadline:
        account = find_repo(stage.owner, stage.repo).branch("main").account
        if account.head_commit != before:
            return account.head_commit
        if bot.child.poll() is not None:
            raise Refused(f"the aggregator ended: {last_words(bot.log)}")
        time.sleep(_POLL_S)
    raise RpcTimeout(f"no merge within {_MERGE_TIMEOUT_S:g} s: {last_words(bot.log)}")


def _score(stage: _Stage) -> Score:
    weights = safetensors.numpy.load_file(Workspace(stage.folder / OWNER).weights_path)
    return score(stage.recipe, weights, stage.test)


def _described(found: Score) -> str:
    return f"AUC {found.auc:.3f}, accuracy {found.accuracy:.3f}"


def _verify(stage: _Stage, sites: Sequence[Site], head: CommitId) -> tuple[str, ...]:
    """Recomputes the whole history, and lets every hospital check the new head."""
    pulled = together([partial(site.do, "pull") for site in sites])
    for site, found in zip(sites, pulled, strict=True):
        if found["commit"] != str(head):
            raise VerificationError(f"workspace {site.name}", "is at another head")
    checked = verify(stage.owner, stage.repo)
    if checked.fault is not None:
        raise VerificationError("the demo's history", checked.fault)
    commits = [one for branch in checked.branches for one in branch.commits]
    stage.tell(
        f"verified: {len(commits)} commits; {checked.n_events} events fold to the root "
        "on chain"
    )
    stage.tell(f"all hospitals pulled and checked {head.short}")
    return tuple(f"{c.kind.value} {c.commit_id.short}: {c.check}" for c in commits)


def _references(stage: _Stage) -> tuple[dict[str, Score], Score]:
    """Every hospital alone, and all rows in one place, by the same recipe."""

    def alone(path: Path) -> Score:
        weights = train_alone(stage.recipe, path, stage.plan.n_rounds)
        return score(stage.recipe, weights, stage.test)

    data = stage.folder / "data"
    local = {h.name: alone(data / f"{h.name}.csv") for h in stage.dataset.hospitals}
    return local, alone(data / "pooled.csv")


def _bytes_moved(stage: _Stage, sites: Sequence[Site]) -> int:
    """Bytes to and from the shared store.

    Counted at owner and hospitals. The aggregator, which does not count, wrote what
    nobody else wrote and read each update once.
    """
    store = stage.owner.remote
    if not isinstance(store, CountingStore):
        raise TypeError("the owner's store does not count")
    owner = store.n_sent + store.n_fetched
    by_sites = sum(site.n_sent for site in sites)
    fetched = sum(site.n_fetched for site in sites)
    n_sent_by_owner = store.n_sent
    written = sum(len(store.get(cid)) for cid in store)
    by_aggregator = (written - n_sent_by_owner - by_sites) + by_sites
    return owner + by_sites + fetched + by_aggregator
