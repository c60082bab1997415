"""A team on a real localnet: an owner, some sites, one model, rounds that are merged.

Chain, program, store and RPC are the real ones. Each `Team` has a folder of its own,
whose `home` works as FLAIR_HOME, so that the command can be run against it.
"""

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import safetensors.numpy

from flair_aggregator.merge import make_merge
from flair_client.chain import instructions
from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet
from flair_client.config_file import write_config
from flair_client.context import Context
from flair_client.encoding import encode_commit, encode_manifest, sign_commit
from flair_client.history.evidence import gather_evidence
from flair_client.history.graph import read_commit
from flair_client.history.verify import walk_verified
from flair_client.ids import CODEC_DAG_CBOR, Address, Cid, CommitId
from flair_client.porcelain.checkout import manifest_of
from flair_client.porcelain.clone import clone
from flair_client.porcelain.commit import commit
from flair_client.porcelain.init import init
from flair_client.porcelain.publish import describe_root, publish_root
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.repo_publish import repo_publish
from flair_client.porcelain.target import find_repo
from flair_client.settings import NetworkProfile
from flair_client.store.base import open_store
from flair_client.workspace import Workspace

ROWS = "a,b,target\n" + "\n".join(f"{n},{n * 2 % 7},{n % 2}" for n in range(40)) + "\n"
POLICY = {"contribute": "open", "min_updates": 1, "max_updates": 2, "challenge": "0s"}


@dataclass
class Team:
    """One repository and the people who work on it."""

    net: object
    folder: Path
    sites: list[tuple[Context, Workspace]] = field(default_factory=list)
    policy: dict = field(default_factory=dict)
    protected: bool = False

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def store_folder(self) -> Path:
        return self.folder / "store"

    def context(self, name: str) -> Context:
        """Somebody with money; the same name is the same wallet."""
        path = self.home / "wallets" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        chain = ChainClient(Rpc(self.net.url, genesis_hash=self.net.genesis_hash))
        wallet = create_wallet(path)
        chain.wait_for(chain.rpc.request_airdrop(wallet.address, 10**10))
        profile = NetworkProfile(
            "localnet",
            self.net.url,
            self.net.genesis_hash,
            PROGRAM_ID,
            self.store_folder.as_uri(),
        )
        return Context(profile, chain, open_store(profile.store_url), wallet)

    def fund(self, address: str) -> None:
        """Gives a wallet some money."""
        chain = self.owner.chain
        chain.wait_for(chain.rpc.request_airdrop(Address.parse(address), 10**9))

    def publish(self) -> None:
        """A new repository with its root; the owner's clone stands at it."""
        self.home.mkdir(parents=True)
        write_config(
            self.home / "config.toml",
            {
                "network.localnet.url": self.net.url,
                "network.localnet.genesis_hash": self.net.genesis_hash,
                "network.localnet.program_id": str(PROGRAM_ID),
                "network.localnet.store": self.store_folder.as_uri(),
            },
        )
        (self.folder / "rows.csv").write_text(ROWS)
        self.owner = self.context("default")
        model = self.folder / "model"
        init(model, columns_from=self.folder / "rows.csv", statistics=False)
        published = repo_publish(
            self.owner,
            "heart",
            describe_root(model),
            functools.partial(publish_root, self.owner, model),
            points_per_merge=10,
            policy=POLICY | self.policy,
            protected=self.protected,
        )
        self.repo = published.repo
        self.root = published.root
        self.workspace = Workspace(model)

    def join(self, n_sites: int) -> None:
        """Sites that each have a clone."""
        for n in range(n_sites):
            ctx = self.context(f"site-{n}")
            clone(ctx, self.repo, self.folder / f"site-{n}", trust=True)
            self.sites.append((ctx, Workspace(self.folder / f"site-{n}")))

    @property
    def place(self):
        return find_repo(self.owner, self.repo).branch("main")

    @property
    def head(self) -> CommitId:
        return self.place.account.head_commit

    def evidence(self):
        place = self.place
        return gather_evidence(
            self.owner.chain, self.owner.remote, place.repo.address, "main"
        ).evidence

    def push_updates(self, *steps: float) -> None:
        """One site per step pushes the head plus this step on every value."""
        for (ctx, workspace), step in zip(self.sites, steps, strict=False):
            pull(ctx, workspace)
            tensors = safetensors.numpy.load_file(workspace.weights_path)
            moved = {name: one + np.float32(step) for name, one in tensors.items()}
            path = workspace.folder / "new.safetensors"
            safetensors.numpy.save_file(moved, path)
            commit(ctx, workspace, message=f"add {step}", weights=path, num_samples=40)
            push(ctx, workspace)

    def push_updates_of(self, site: int, step: float) -> None:
        """One site alone pushes the head plus this step."""
        everybody = self.sites
        self.sites = [everybody[site]]
        try:
            self.push_updates(step)
        finally:
            self.sites = everybody

    def close_round(self) -> None:
        place = self.place
        common = self._common(place)
        policy = place.policy_address(place.account.policy_index)
        index = place.account.round_index
        self.owner.send(
            [
                instructions.round_close(
                    actor=self.owner.wallet.address,
                    policy=policy,
                    round_index=index,
                    **common,
                )
            ]
        )
        updates = self.owner.chain.updates(place.round(index).address)
        self.owner.send(
            [
                instructions.merge_accumulate(
                    actor=self.owner.wallet.address,
                    round_index=index,
                    contributors=[one.contributor for one in updates],
                    **common,
                )
            ]
        )

    def good_merge(self) -> CommitId:
        """The right merge of the closed round, in the store, not on chain."""
        evidence = self.evidence()
        *_, (_, head) = walk_verified(evidence)
        record = evidence.history.branches[self.place.address].live_round
        return make_merge(evidence, record, head, self.owner.wallet)

    def wrong_merge(self) -> CommitId:
        """The same, but its weights are those of the commit before it."""
        right = read_commit(self.owner.remote, self.good_merge())
        before = manifest_of(self.owner.remote, self.head)
        weights = self.owner.remote.put(CODEC_DAG_CBOR, encode_manifest(before))
        wrong = replace(right, weights=weights, signature=bytes(64))
        return self.put_commit(wrong)

    def put_commit(self, unsigned) -> CommitId:
        wallet = self.owner.wallet
        signed = sign_commit(unsigned, wallet.address, wallet.sign)
        cid = self.owner.remote.put(CODEC_DAG_CBOR, encode_commit(signed))
        return CommitId(cid.digest)

    def finish_round(self, merge: CommitId) -> None:
        """Proposes and finalises a merge, right or wrong."""
        place = self.place
        me = self.owner.wallet.address
        terms = {
            "policy": place.policy_address(place.account.policy_index),
            "round_index": place.account.round_index,
            "commit_id": merge,
            "expected_head": place.account.head_commit,
            "expected_seq": place.account.head_seq,
            **self._common(place),
        }
        self.owner.send(
            [instructions.merge_propose(payer=me, proposer=me, **terms)],
        )
        self.owner.send(
            [instructions.merge_finalize(actor=me, candidate_payer=me, **terms)]
        )

    def run_round(
        self, *steps: float, merge: Callable[["Team"], CommitId] | None = None
    ) -> CommitId:
        """A whole round; gives the merge. One step: both sites make it."""
        self.push_updates(*(steps * 2)[:2])
        self.close_round()
        made = (merge or Team.good_merge)(self)
        self.finish_round(made)
        return made

    def _common(self, place) -> dict:
        return {"repo": place.repo.address, "branch": place.address}

    def block_path(self, cid: Cid) -> Path:
        """The file of a block in the shared store."""
        (found,) = self.store_folder.rglob(f"{cid.digest.hex()}.*")
        return found

    def copy_store(self, name: str) -> Path:
        """A second store with the same blocks."""
        copied = self.folder / name
        shutil.copytree(self.store_folder, copied)
        return copied
