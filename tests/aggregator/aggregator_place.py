"""A localnet with a published model, hospitals that push, and aggregators that run."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from flair_aggregator.outbox import Outbox, open_outbox
from flair_aggregator.run import Stop, Voice, make_worker, run_once
from flair_aggregator.settings import Options
from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import PROGRAM_ID, find_branch_pda, find_repo_pda
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet, load_wallet
from flair_client.context import Context
from flair_client.porcelain.clone import clone
from flair_client.porcelain.commit import commit
from flair_client.porcelain.init import columns_from_csv, init
from flair_client.porcelain.publish import describe_root, publish_root
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.repo_publish import repo_publish
from flair_client.settings import NetworkProfile
from flair_client.store.base import open_store
from flair_client.workspace import find_workspace

ROWS = "a,b,target\n" + "\n".join(f"{n},{n * 2 % 7},{n % 2}" for n in range(40))
FUNDS = 10**10


@dataclass
class Place:
    """One localnet, one folder, and everybody's contexts."""

    folder: Path
    url: str
    genesis_hash: str
    contexts: list[Context] = field(default_factory=list)

    @property
    def profile(self) -> NetworkProfile:
        return NetworkProfile(
            "localnet",
            self.url,
            self.genesis_hash,
            PROGRAM_ID,
            (self.folder / "store").as_uri(),
        )

    def context(self, name: str, **changes: Any) -> Context:
        """A wallet of this name, made and funded when it is new."""
        path = self.folder / f"{name}.json"
        chain = ChainClient(Rpc(self.url, genesis_hash=self.genesis_hash))
        if not path.exists():
            wallet = create_wallet(path)
            chain.wait_for(chain.rpc.request_airdrop(wallet.address, FUNDS))
        values = {
            "network": self.profile,
            "chain": chain,
            "remote": open_store(self.profile.store_url),
            "signer": load_wallet(path),
        }
        ctx = Context(**(values | changes))
        self.contexts.append(ctx)
        return ctx

    def close(self) -> None:
        for ctx in self.contexts:
            ctx.chain.close()

    def publish(self, name: str, **policy: Any) -> "Model":
        """A repository of `owner` with a small model on branch main."""
        owner = self.context("owner")
        model = self.folder / f"model-{name}"
        rows = self.folder / "rows.csv"
        rows.write_text(ROWS)
        init(model, columns=columns_from_csv(rows, "target"))
        values = {"contribute": "open", "min_updates": 2, "challenge": "0s"}
        published = repo_publish(
            owner,
            name,
            describe_root(model),
            functools.partial(publish_root, owner, model),
            points_per_merge=10,
            policy=values | policy,
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

    def live(self) -> Any:
        return self.owner.chain.round(self.branch, self.account().round_index)

    def hospital(self, name: str) -> "Hospital":
        ctx = self.place.context(name)
        folder = self.place.folder / f"{self.address.name}-{name}"
        if not folder.exists():
            clone(ctx, self.address, folder, trust=True)
        return Hospital(ctx, find_workspace(folder))

    def hospitals(self, *steps: float) -> None:
        """As many hospitals as steps push an update into the next round."""
        for number, step in enumerate(steps):
            self.hospital(f"site{number}").push(step, num_samples=1 << number)


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

    def once(self) -> list[str]:
        """Looks once; gives the steps that it made."""
        before = len(self.voice.steps)
        run_once([self.worker])
        return [one.step for one in self.voice.steps[before:] if one.outcome == "done"]


def aggregator(model: Model, who: str | Context, name: str, **more: Any) -> Aggregator:
    """An aggregator with its own outbox."""
    ctx = model.place.context(who) if isinstance(who, str) else who
    outbox = open_outbox(model.place.folder / name / "outbox.sqlite")
    return Aggregator(model, ctx, outbox, **more)
