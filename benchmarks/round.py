"""Time of one round of four hospitals besides training, on a localnet.

Every step is a command in a process of its own, as people run them: all hospitals at
once `flair pull`, `flair commit`, `flair push`; a running `flair aggregator run` merges
and settles; all hospitals at once `flair pull` again. Training is left out: the new
weights lie ready. The clock runs from the first pull to the last one.
"""

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import safetensors.numpy

from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import PROGRAM_ID, find_repo_pda
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet
from flair_client.config_file import write_config
from flair_client.context import Context
from flair_client.localnet import Localnet, start_localnet
from flair_client.porcelain.clone import clone
from flair_client.porcelain.init import columns_from_csv, init
from flair_client.porcelain.publish import describe_root, publish_root
from flair_client.porcelain.repo_publish import repo_publish
from flair_client.repo_address import RepoAddress
from flair_client.settings import NetworkProfile
from flair_client.store import open_store

N_HOSPITALS: Final = 4
LIMIT_S: Final = 15.0
_ROWS: Final = "a,b,target\n" + "\n".join(f"{n},{n * 2 % 7},{n % 2}" for n in range(40))
_FLAIR: Final = (sys.executable, "-m", "flair_client.cli")
_FUNDS: Final = 10**10
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Ground:
    """A localnet with a published model.

    Attributes:
        home: holds the profile of the localnet, for every command.
        net_pid: the process that runs it.
    """

    folder: Path
    home: Path
    profile: NetworkProfile
    chain: ChainClient
    net_pid: int

    def context(self, name: str) -> Context:
        """Makes a funded wallet."""
        wallet = create_wallet(self.wallet(name))
        self.chain.wait_for(self.chain.rpc.request_airdrop(wallet.address, _FUNDS))
        return Context(
            self.profile, self.chain, open_store(self.profile.store_url), wallet
        )

    def wallet(self, name: str) -> Path:
        """Where a wallet lies."""
        return self.folder / "wallets" / f"{name}.json"

    def start(
        self, arguments: Sequence[str], who: str, folder: Path
    ) -> "subprocess.Popen[str]":
        """Starts a command."""
        return subprocess.Popen(
            [*_FLAIR, *arguments, "--wallet", str(self.wallet(who)), "-q"],
            cwd=folder,
            env={**os.environ, "FLAIR_HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round took.

    Attributes:
        wall_s: from the first pull to the last one.
        cpu_s: processor time of the hospitals' commands, whatever else ran.
    """

    wall_s: float
    cpu_s: float


@contextmanager
def open_ground(folder: Path) -> Iterator[Ground]:
    """Starts the localnet."""
    with start_localnet(folder / "net") as net:
        profile = make_profile(folder, net)
        write_config(
            folder / "home" / "config.toml",
            {
                "network.localnet.url": net.url,
                "network.localnet.genesis_hash": net.genesis_hash,
                "network.localnet.store": profile.store_url,
            },
        )
        with closing(ChainClient(Rpc(net.url, genesis_hash=net.genesis_hash))) as chain:
            yield Ground(folder, folder / "home", profile, chain, net.pid)


def make_profile(folder: Path, net: Localnet) -> NetworkProfile:
    """Gives the localnet's profile."""
    store = (folder / "store").as_uri()
    return NetworkProfile("localnet", net.url, net.genesis_hash, PROGRAM_ID, store)


def publish(ground: Ground) -> RepoAddress:
    """Publishes a small model."""
    owner = ground.context("owner")
    rows, model = ground.folder / "rows.csv", ground.folder / "model"
    rows.write_text(_ROWS)
    init(model, columns=columns_from_csv(rows, "target"))
    policy = {
        "contribute": "open",
        "min_updates": N_HOSPITALS,
        "max_updates": N_HOSPITALS,
        "challenge": "0s",
    }
    published = repo_publish(
        owner,
        "heart",
        describe_root(model),
        functools.partial(publish_root, owner, model),
        points_per_merge=10,
        policy=policy,
    )
    return published.repo


def together(ground: Ground, arguments: Sequence[str]) -> None:
    """Runs a command at all hospitals at once.

    Raises:
        RuntimeError: one of them failed.
    """
    processes = [
        ground.start(arguments, f"site{number}", ground.folder / f"site{number}")
        for number in range(N_HOSPITALS)
    ]
    for process in processes:
        with process:
            _, err = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {err}")


def train_all(ground: Ground, number: int) -> None:
    """Puts new weights beside each workspace, as a training would."""
    numbers = np.random.default_rng(number)
    for site in range(N_HOSPITALS):
        folder = ground.folder / f"site{site}"
        tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
        for name, tensor in tensors.items():
            step = numbers.normal(0, 0.01, tensor.shape)
            tensors[name] = tensor + step.astype(tensor.dtype)
        safetensors.numpy.save_file(tensors, folder / "new.safetensors")


def cpu_s() -> float:
    """Processor time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one_round(ground: Ground, repo: RepoAddress) -> Figures:
    """Gives what one round takes."""
    address = find_repo_pda(repo.creator, repo.name)[0]
    head_seq = ground.chain.branch(address, "main").head_seq
    begun, cpu_before = time.perf_counter(), cpu_s()
    together(ground, ["pull"])
    commit = ["commit", "-m", "a round", "--weights", "new.safetensors"]
    together(ground, [*commit, "--num-samples", "40"])
    together(ground, ["push"])
    while ground.chain.branch(address, "main").head_seq == head_seq:
        time.sleep(_POLL_S)
    together(ground, ["pull"])
    return Figures(time.perf_counter() - begun, cpu_s() - cpu_before)


def measure(folder: Path, n_rounds: int) -> list[Figures]:
    """Gives what each round takes."""
    with open_ground(folder) as ground:
        repo = publish(ground)
        for number in range(N_HOSPITALS):
            site = ground.context(f"site{number}")
            clone(site, repo, folder / f"site{number}", trust=True)
        arguments = ["aggregator", "run", "--repo", str(repo)]
        bot = ground.start(arguments, "owner", folder)
        try:
            figures = []
            for number in range(n_rounds):
                train_all(ground, number)
                figures.append(one_round(ground, repo))
        finally:
            bot.terminate()
            _, err = bot.communicate()
        if bot.returncode:
            raise RuntimeError(f"the aggregator ended with {bot.returncode}: {err}")
    return figures


def main() -> int:
    """Measures and prints; 1 when the slowest round is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = measure(Path(folder), arguments.rounds)
    slowest_s = max(one.wall_s for one in rounds)
    if arguments.json:
        line = {
            "hospitals": N_HOSPITALS,
            "rounds_s": [round(one.wall_s, 3) for one in rounds],
            "hospitals_cpu_s": [round(one.cpu_s, 3) for one in rounds],
            "slowest_s": round(slowest_s, 3),
            "limit_s": LIMIT_S,
            "ratio": round(slowest_s / LIMIT_S, 4),
            "load": round(os.getloadavg()[0], 2),
        }
        print(json.dumps(line))
    else:
        for number, one in enumerate(rounds):
            print(
                f"round {number} of {N_HOSPITALS} hospitals {one.wall_s:8.2f} s  "
                f"ratio {one.wall_s / LIMIT_S:.3f} (at most {LIMIT_S:g} s)  "
                f"processor time of the hospitals {one.cpu_s:.2f} s"
            )
        print(f"load of the machine at the end {os.getloadavg()[0]:.2f}")
    return 0 if slowest_s <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
