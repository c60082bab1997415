"""A localnet with a published model, hospitals that push, and aggregators that run."""

import contextlib
import functools
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import uvicorn

from flair_aggregator.outbox import Outbox, open_outbox
from flair_aggregator.run import Stop, Voice, make_worker, run_once
from flair_aggregator.settings import Options
from flair_client.chain import instructions
from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_branch_pda,
    find_policy_pda,
    find_repo_pda,
    find_round_pda,
)
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet, load_wallet
from flair_client.context import Context
from flair_client.delta import DeltaTerms, write_delta
from flair_client.encoding import (
    decode_commit,
    encode_commit,
    encode_delta,
    sign_commit,
)
from flair_client.history.verify_weights import read_manifest
from flair_client.ids import CODEC_DAG_CBOR, CommitId, Digest
from flair_client.localnet.run import open_node, wall_clock_ms
from flair_client.localnet.server import create_app
from flair_client.objects import Commit, CommitKind, Role
from flair_client.porcelain.clone import clone
from flair_client.porcelain.commit import commit
from flair_client.porcelain.init import columns_from_csv, init
from flair_client.porcelain.publish import describe_root, publish_root
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.repo_publish import repo_publish
from flair_client.porcelain.round import round_open
from flair_client.settings import NetworkProfile
from flair_client.store.base import open_store
from flair_client.workspace import find_workspace

ROWS = "a,b,target\n" + "\n".join(f"{n},{n * 2 % 7},{n % 2}" for n in range(40))
FUNDS = 10**10


@dataclass
class ClockNet:
    """A localnet in a thread of this process.

    Attributes:
        ahead_ms: how far its clock is ahead of the wall clock, in its one element.
    """

    url: str
    genesis_hash: str
    ahead_ms: list[int]


@contextlib.contextmanager
def clock_localnet(folder: Path) -> Iterator[ClockNet]:
    """Runs a localnet whose clock tests put forward: no test has to wait."""
    ahead_ms = [0]
    ready: queue.Queue[Any] = queue.Queue()

    def serve() -> None:
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        with (
            open_node(folder, wall_ms=lambda: wall_clock_ms() + ahead_ms[0]) as node,
            listener,
        ):
            listener.bind(("127.0.0.1", 0))
            app = create_app(
                node, on_ready=lambda: ready.put((server, node.genesis_hash, url))
            )
            config = uvicorn.Config(app, log_config=None, access_log=False)
            server = uvicorn.Server(config)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            server.run(sockets=[listener])

    def serve_or_tell() -> None:
        try:
            serve()
        except Exception as exc:  # noqa: BLE001 - raised again in the test's thread
            ready.put(exc)

    thread = threading.Thread(target=serve_or_tell)
    thread.start()
    found = ready.get(timeout=60)
    if isinstance(found, Exception):
        raise found
    server, genesis_hash, url = found
    try:
        yield ClockNet(url, genesis_hash, ahead_ms)
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class Place:
    """One localnet, one folder, and everybody's contexts."""

    folder: Path
    url: str
    genesis_hash: str
    ahead_ms: list[int] = field(default_factory=lambda: [0])
    chains: list[ChainClient] = field(default_factory=list)
    _known: dict[str, Context] = field(default_factory=dict)

    @property
    def profile(self) -> NetworkProfile:
        return NetworkProfile(
            "localnet",
            self.url,
            self.genesis_hash,
            PROGRAM_ID,
            (self.folder / "store").as_uri(),
        )

    def new_chain(self) -> ChainClient:
        """A connection of its own."""
        chain = ChainClient(Rpc(self.url, genesis_hash=self.genesis_hash))
        self.chains.append(chain)
        return chain

    def fund(self, name: str, lamports: int = FUNDS) -> None:
        chain = self.chains[0]
        address = load_wallet(self.wallet(name)).address
        chain.wait_for(chain.rpc.request_airdrop(address, lamports))

    def context(self, name: str, funds: int = FUNDS) -> Context:
        """A wallet of this name, made and funded when it is new."""
        if name in self._known:
            return self._known[name]
        chain = self.chains[0] if self.chains else self.new_chain()
        path = self.wallet(name)
        if not path.exists():
            create_wallet(path)
            if funds:
                self.fund(name, funds)
        self._known[name] = Context(
            network=self.profile,
            chain=chain,
            remote=open_store(self.profile.store_url),
            signer=load_wallet(path),
        )
        return self._known[name]

    def wallet(self, name: str) -> Path:
        return self.folder / "wallets" / f"{name}.json"

    def wait(self, seconds: float) -> None:
        """Puts the chain's clock forward."""
        self.ahead_ms[0] += int(seconds * 1000)

    def close(self) -> None:
        for chain in self.chains:
            chain.close()

    def publish(
        self,
        name: str,
        *,
        statistics: bool = True,
        protected: bool = False,
        **policy: Any,
    ) -> "Model":
        """A repository of `owner` with a small model on branch main.

        With `statistics` the first round is the one that collects them.
        """
        owner = self.context("owner")
        model = self.folder / f"model-{name}"
        rows = self.folder / "rows.csv"
        rows.write_text(ROWS)
        columns = columns_from_csv(rows, "target")
        init(model, columns=columns, statistics=statistics)
        values = {"contribute": "open", "min_updates": 2, "challenge": "0s"}
        published = repo_publish(
            owner,
            name,
            describe_root(model),
            functools.partial(publish_root, owner, model),
            points_per_merge=10,
            policy=values | policy,
            protected=protected,
        )
        return Model(self, owner, published.repo)


@dataclass
class Model:
    """A published repository."""

    place: Place
    owner: Context
    address: Any

    @property
    def repo(self) -> Any:
        return find_repo_pda(self.address.creator, self.address.name)[0]

    @property
    def branch(self) -> Any:
        return find_branch_pda(self.repo, "main")[0]

    def account(self) -> Any:
        return self.owner.chain.branch(self.repo, "main")

    def updates(self) -> list[Any]:
        found = find_round_pda(self.branch, self.account().round_index)[0]
        return self.owner.chain.updates(found)

    def live(self) -> Any:
        return self.owner.chain.round(self.branch, self.account().round_index)

    def hospital(self, name: str) -> "Hospital":
        ctx = self.place.context(name)
        folder = self.place.folder / f"{self.address.name}-{name}"
        if not folder.exists():
            clone(ctx, self.address, folder, trust=True)
        return Hospital(ctx, find_workspace(folder))

    def head(self) -> Any:
        """The head's commit, its policy and its manifest."""
        store = self.owner.remote
        account = self.account()
        commit = decode_commit(store.get(account.head_commit.cid))
        policy = self.owner.chain.policy(self.repo, account.policy_index)
        return account.head_commit, policy, read_manifest(store, commit.weights)

    def open_round(self) -> None:
        if not self.account().round_live:
            round_open(self.owner, self.address, "main")

    def push_by_hand(
        self, name: str, step: int = 3, weight: int = 1, **lies: Any
    ) -> Any:
        """Pushes an update without a workspace, with any lie that a test wants.

        `ints`, `delta_fields`, `delta_terms` and `parents` replace what is true;
        `payload_digest` what the chain is told; `told` is an update made before.
        """
        ctx = self.place.context(name)
        self.open_round()
        index = self.account().round_index
        made = lies.get("told") or make_update(self, ctx, step, index, **lies)
        told = {name: lies[name] for name in made if name in lies}
        policy = find_policy_pda(self.repo, self.account().policy_index)[0]
        ctx.send(
            [
                instructions.update_push(
                    payer=ctx.wallet.address,
                    contributor=ctx.wallet.address,
                    repo=self.repo,
                    branch=self.branch,
                    policy=policy,
                    round_index=index,
                    expected_base=self.account().head_commit,
                    weight=weight,
                    nonce=bytes(16),
                    **(made | told),
                )
            ]
        )
        return made["commit_id"]

    def hospitals(self, *steps: float) -> None:
        """As many hospitals as steps push an update into the next round."""
        for number, step in enumerate(steps):
            self.hospital(f"site{number}").push(step, num_samples=1 << number)


def make_update(
    model: Model, ctx: Context, step: int, round_index: int, **lies: Any
) -> dict[str, Any]:
    """Puts an update's blocks into the store, or another `store`."""
    head, policy, manifest = model.head()
    store = lies.get("store", ctx.remote)
    params = policy.params
    terms = DeltaTerms(
        repo=model.repo,
        branch="main",
        contributor=ctx.wallet.address,
        round_index=round_index,
        base=head,
        policy=policy.digest,
        bits=params.bits,
        scale_exp=params.scale_exp,
    )
    ints = {
        entry.name: np.full(entry.shape, step, np.int16)
        for entry in manifest.tensors
        if entry.role is not Role.FROZEN
    }
    terms = replace(terms, **lies.get("delta_terms", {}))
    delta = write_delta(store, terms, lies.get("ints", ints))
    delta = replace(delta, **lies.get("delta_fields", {}))
    cid = store.put(CODEC_DAG_CBOR, encode_delta(delta))
    commit = Commit(
        kind=CommitKind.UPDATE,
        repo=model.repo,
        branch="main",
        parents=lies.get("parents", (head,)),
        author=ctx.wallet.address,
        message="an update",
        time=1,
        policy=policy.digest,
        round_index=round_index,
        delta=cid,
    )
    signed = sign_commit(commit, ctx.wallet.address, ctx.wallet.sign)
    commit_id = CommitId(store.put(CODEC_DAG_CBOR, encode_commit(signed)).digest)
    return {"commit_id": commit_id, "payload_digest": Digest(cid.digest)}


@dataclass
class Hospital:
    """A clone whose owner pushes."""

    ctx: Context
    workspace: Any

    def push(
        self,
        step: float,
        num_samples: int = 8,
        change: Callable[[dict[str, np.ndarray]], None] | None = None,
    ) -> Any:
        """Adds a step to every value that the round shares, and pushes."""
        pull(self.ctx, self.workspace)
        tensors = safetensors.numpy.load_file(self.workspace.weights_path)
        for name in tensors:
            tensors[name] = tensors[name] + tensors[name].dtype.type(step)
        if change is not None:
            change(tensors)
        path = self.workspace.folder.parent / f"{self.workspace.folder.name}.new"
        safetensors.numpy.save_file(tensors, path)
        commit(
            self.ctx,
            self.workspace,
            message="an update",
            weights=path,
            num_samples=num_samples,
        )
        return push(self.ctx, self.workspace)


class Stopped(Exception):
    """It went no further."""


@dataclass
class Aggregator:
    """An aggregator in this process, and what it said."""

    model: Model
    ctx: Context
    outbox: Outbox
    options: Options = field(default_factory=Options)
    patient: bool = False
    said: list[str] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    clock: list[float] = field(default_factory=lambda: [0.0])

    def __post_init__(self) -> None:
        self.voice = Voice(self.said.append, self.said.append, lambda _: None)
        self.worker = make_worker(
            self.ctx,
            self.model.address,
            ("main",),
            outbox=self.outbox,
            options=self.options,
            voice=self.voice,
            stop=self.stop,
            patient=self.patient,
            now_s=lambda: self.clock[0],
        )

    def stop_before(self, step: str) -> None:
        """Is told to stop when it is about to make this step."""
        begin = self.outbox.begin

        def begin_or_stop(name: Any, named: str, subject: str) -> int:
            if named == step:
                raise Stopped
            return begin(name, named, subject)

        self.outbox.begin = begin_or_stop

    def go_on(self) -> None:
        """Takes `stop_before` back."""
        del self.outbox.begin

    def blind_to_candidates(self, n_looks: int) -> None:
        """Sees no candidate at first, as if it had read the chain earlier."""
        world, left = self.worker.world, [n_looks]
        inner = world.pending

        class Blind:
            def read(self, repo: Any, branch: str) -> Any:
                view = inner.read(repo, branch)
                summed = view.live and view.live.round.value.n_accumulated
                if not summed or not left[0]:
                    return view
                left[0] -= 1
                return replace(view, live=replace(view.live, candidates=()))

        self.worker.world = replace(world, pending=Blind())

    def once(self) -> list[str]:
        """Looks once; gives the steps that it made."""
        self.voice.steps.clear()
        with contextlib.suppress(Stopped):
            run_once([self.worker])
        return [one.step for one in self.voice.steps if one.outcome == "done"]


def aggregator(model: Model, who: str, name: str, **more: Any) -> Aggregator:
    """An aggregator with its own connection and its own outbox."""
    place = model.place
    ctx = replace(place.context(who), chain=place.new_chain())
    outbox = open_outbox(place.folder / name / "outbox.sqlite")
    return Aggregator(model, ctx, outbox, **more)
