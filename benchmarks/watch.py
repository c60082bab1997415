"""Many unattended contributors for many rounds: nobody misses one, nothing leaks.

Every contributor is a `flair contribute --watch` in a process of its own; a `flair
aggregator run --open-rounds` opens, merges and settles; all of them meet on one
localnet. A round takes updates of all until it is full, or until its deadline: whoever
is late is missing in its merge. Resident memory and open files are read from /proc at
each new head.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flair_client.chain.pdas import find_repo_pda
from flair_client.history.evidence import gather_repo
from flair_client.history.records import RoundPhase
from flair_client.porcelain.clone import clone
from flair_client.porcelain.init import columns_from_csv, init
from flair_client.porcelain.publish import describe_root, publish_root
from flair_client.porcelain.repo_publish import repo_publish
from flair_client.repo_address import RepoAddress
from flair_client.store import open_store
from round import Ground, open_ground

_ROWS: Final = "a,b,target\n" + "\n".join(f"{n},{n * 2 % 7},{n % 2}" for n in range(40))
_ROUND_LENGTH: Final = "5m"
_POLL_S: Final = 0.25
# A round of twenty takes some seconds; this long without one is a standstill.
_STANDSTILL_S: Final = 900.0
_SETTLED: Final = 10
_KIB: Final = 1024
_MIB: Final = 1024 * _KIB


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at one moment.

    Attributes:
        rss: resident bytes.
        n_files: open files and sockets.
    """

    rss: int
    n_files: int


@dataclass(slots=True)
class Watched:
    """A process, and what was seen of it after each round."""

    name: str
    pid: int
    child: "subprocess.Popen[bytes] | None" = None
    samples: list[Sample] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        """Whether the process is not there any more."""
        return self.child is not None and self.child.poll() is not None

    def look(self) -> None:
        """Takes a sample.

        Raises:
            OSError: the process has ended.
        """
        status = Path(f"/proc/{self.pid}/status").read_text()
        rss = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        n_files = sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())
        self.samples.append(Sample(int(rss.split()[1]) * _KIB, n_files))

    def growth(self) -> int:
        """Bytes gained between round 10, or half-way where it ended before, and now."""
        first = min(_SETTLED, len(self.samples) // 2)
        return self.samples[-1].rss - self.samples[first].rss


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it."""

    contributors: int
    rounds: int
    missed: int
    seconds: float
    rounds_per_minute: float
    last_tenth_by_first: float
    contributor_mib: float
    contributor_growth_mib: float
    aggregator_mib: float
    aggregator_growth_mib: float
    localnet_mib: float
    localnet_growth_mib: float
    most_open_files: int
    more_open_files: int
    load: float


def publish(ground: Ground, n_sites: int) -> RepoAddress:
    """Publishes a small model whose rounds take one update of each."""
    owner = ground.context("owner")
    rows, model = ground.folder / "rows.csv", ground.folder / "model"
    rows.write_text(_ROWS)
    init(model, columns=columns_from_csv(rows, "target"), statistics=False)
    policy = {
        "contribute": "open",
        "min_updates": 1,
        "max_updates": n_sites,
        "round_length": _ROUND_LENGTH,
        "challenge": "0s",
    }
    return repo_publish(
        owner,
        "heart",
        describe_root(model),
        functools.partial(publish_root, owner, model),
        points_per_merge=10,
        policy=policy,
    ).repo


@contextmanager
def started(
    ground: Ground, arguments: Sequence[str], who: str, folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a command, and asks it to end when the block is left.

    Raises:
        RuntimeError: it did not end with 0.
    """
    log = ground.folder / f"{who}.log"
    command = [sys.executable, "-m", "flair_client.cli", *arguments]
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--wallet", str(ground.wallet(who)), "--json"],
            cwd=folder,
            env={**os.environ, "FLAIR_HOME": str(ground.home)},
            stdout=written,
            stderr=written,
        )
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait()
    if code:
        raise RuntimeError(f"{who} ended with {code}: {log.read_text()[-2000:]}")


def follow(
    ground: Ground,
    repo: RepoAddress,
    n_rounds: int,
    processes: Sequence[Watched],
    tell: "functools.partial[None]",
) -> list[float]:
    """Takes samples at each new head; gives the time of each, in seconds.

    Where a process ends, or nothing happens for long, that is all there is.
    """
    address = find_repo_pda(repo.creator, repo.name)[0]
    begun = last = time.monotonic()
    times: list[float] = []
    seq = ground.chain.branch(address, "main").head_seq
    while len(times) < n_rounds:
        now = time.monotonic()
        found = ground.chain.branch(address, "main").head_seq
        if found > seq:
            seq, last = found, now
            times.append(now - begun)
            for one in processes:
                one.look()
            tell(_line(len(times), times[-1], processes))
        ended = [one.name for one in processes if one.has_ended]
        if ended or now - last > _STANDSTILL_S:
            tell(f"cut off: {', '.join(ended) or 'nothing'} ended")
            break
        time.sleep(_POLL_S)
    return times


def _line(number: int, seconds: float, processes: Sequence[Watched]) -> str:
    sites = [one.samples[-1].rss for one in processes[2:]]
    net, bot = (one.samples[-1].rss for one in processes[:2])
    return (
        f"round {number} after {seconds:.0f} s: a contributor at most "
        f"{max(sites) / _MIB:.1f} MiB, aggregator {bot / _MIB:.1f} MiB, "
        f"localnet {net / _MIB:.1f} MiB"
    )


def missed_rounds(
    ground: Ground, repo: RepoAddress, n_sites: int, n_rounds: int
) -> int:
    """Counts the places in the first merged rounds that nobody took."""
    address = find_repo_pda(repo.creator, repo.name)[0]
    store = open_store(ground.profile.store_url)
    history = gather_repo(ground.chain, store, address).history
    counted = [
        sum(not update.reject_reason for update in record.updates.values())
        for (_, index), record in sorted(history.rounds.items())
        if record.phase is RoundPhase.MERGED and index <= n_rounds
    ]
    if len(counted) < n_rounds:
        raise RuntimeError(f"{len(counted)} rounds were merged, not {n_rounds}")
    return sum(n_sites - one for one in counted)


def measure(
    folder: Path, n_sites: int, n_rounds: int, tell: "functools.partial[None]"
) -> Figures:
    """Runs all of it."""
    with open_ground(folder) as ground, ExitStack() as stack:
        repo = publish(ground, n_sites)
        names = [f"site{number}" for number in range(n_sites)]
        for name in names:
            clone(ground.context(name), repo, folder / name, trust=True)
        tell(f"{n_sites} contributors cloned {repo}")
        bot = ["aggregator", "run", "--repo", str(repo), "--open-rounds"]
        commands = [([*bot, "--interval", "1s"], "owner", folder)]
        work = ["contribute", "--data", str(folder / "rows.csv"), "--watch"]
        work += ["--interval", "1s", "--allow-one-class"]
        commands += [(work, name, folder / name) for name in names]
        processes = [Watched("localnet", ground.net_pid)]
        for arguments, who, where in commands:
            child = stack.enter_context(started(ground, arguments, who, where))
            processes.append(Watched(who, child.pid, child))
        times = follow(ground, repo, n_rounds, processes, tell)
        stack.close()
        if not times:
            raise RuntimeError("no round was merged")
        missed = missed_rounds(ground, repo, n_sites, len(times))
    return _figures(n_sites, times, missed, processes)


def _figures(
    n_sites: int, times: Sequence[float], missed: int, processes: Sequence[Watched]
) -> Figures:
    net, bot, *sites = processes
    largest = max(sites, key=lambda one: one.samples[-1].rss)
    tenth = max(len(times) // 10, 1)
    gaps = [late - early for early, late in zip([0.0, *times], times, strict=False)]
    # The first round has the start of all processes in it.
    first = gaps[1 : tenth + 1] or gaps
    files = [one.samples for one in (bot, *sites)]
    return Figures(
        contributors=n_sites,
        rounds=len(times),
        missed=missed,
        seconds=times[-1],
        rounds_per_minute=60 * len(times) / times[-1],
        last_tenth_by_first=(sum(gaps[-tenth:]) / tenth) / (sum(first) / len(first)),
        contributor_mib=largest.samples[-1].rss / _MIB,
        contributor_growth_mib=max(one.growth() for one in sites) / _MIB,
        aggregator_mib=bot.samples[-1].rss / _MIB,
        aggregator_growth_mib=bot.growth() / _MIB,
        localnet_mib=net.samples[-1].rss / _MIB,
        localnet_growth_mib=net.growth() / _MIB,
        most_open_files=max(one.n_files for samples in files for one in samples),
        more_open_files=max(
            samples[-1].n_files - samples[min(_SETTLED, len(samples) // 2)].n_files
            for samples in files
        ),
        load=os.getloadavg()[0],
    )


def main() -> int:
    """Measures and prints; 1 when somebody missed a round, or it was cut off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--contributors", type=int, default=20, help="default 20")
    parser.add_argument("--rounds", type=int, default=100, help="default 100")
    parser.add_argument("--folder", type=Path, help="kept afterwards")
    arguments = parser.parse_args()
    tell = functools.partial(print, file=sys.stderr, flush=True)
    with ExitStack() as stack:
        folder = arguments.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = measure(folder, arguments.contributors, arguments.rounds, tell)
    values = {
        name: round(value, 3) if isinstance(value, float) else value
        for name in Figures.__dataclass_fields__
        for value in (getattr(found, name),)
    }
    if arguments.json:
        print(json.dumps(values))
    else:
        for name, value in values.items():
            print(f"{name.replace('_', ' '):24} {value}")
    return 1 if found.missed or found.rounds < arguments.rounds else 0


if __name__ == "__main__":
    sys.exit(main())
