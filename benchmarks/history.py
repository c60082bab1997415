"""Time of `flair log` and `flair diff --stat`, against git and a plain read.

Every command is a process of its own, started anew: the least of several runs counts,
and on a machine that does other work its processor time tells more.
The history is one line of commits, each with weights of its own, made here; nothing of
it is on a chain, which neither command asks. The two states of the comparison differ in
one tensor of a hundred.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from flair_client.chain.signer import KeypairSigner
from flair_client.config_file import write_config
from flair_client.encoding import encode_commit, encode_manifest, sign_commit
from flair_client.ids import CODEC_DAG_CBOR, Address, Cid, CommitId
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.refs import remember_heads, remember_verified
from flair_client.repo_address import RepoAddress
from flair_client.store import DiskStore
from flair_client.weights import import_weights, roles_by_pattern
from flair_client.workspace import Head, Workspace, make_workspace

_LOG_LIMIT_S, _DIFF_LIMIT_S = 0.3, 2.0
_N_TENSORS = 100
_WALLET = KeypairSigner(bytes([7]) * 32)


def make_world(folder: Path) -> tuple[Workspace, dict[str, str]]:
    """An empty workspace of a repository on a network that nobody needs to reach."""
    home = folder / "home"
    (folder / "store").mkdir(parents=True)
    write_config(
        home / "config.toml",
        {
            "network.localnet.url": "http://127.0.0.1:9",
            "network.localnet.store": (folder / "store").as_uri(),
        },
    )
    workspace = make_workspace(folder / "work")
    repo = RepoAddress("localnet", _WALLET.address, "heart")
    workspace.bind(repo, "main", (folder / "store").as_uri())
    # The sources are compiled once, as they are where they were installed.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return workspace, {**os.environ, "FLAIR_HOME": str(home)}


def commit_states(workspace: Workspace, store: DiskStore, states: Iterator[Cid]) -> int:
    """One commit for each state, in a line; gives how many bytes they have."""
    parents: tuple[CommitId, ...] = ()
    made: list[CommitId] = []
    n_bytes = 0
    for number, weights in enumerate(states):
        unsigned = Commit(
            kind=CommitKind.SNAPSHOT if parents else CommitKind.ROOT,
            repo=Address(bytes(range(32))),
            branch="main",
            parents=parents,
            author=_WALLET.address,
            message=f"round {number} of the study",
            time=1_700_000_000 + number,
            weights=weights,
            recipe=None if parents else weights,
            events=weights,
            metrics={"auc": 0.5 + number / 100_000} if parents else None,
        )
        block = encode_commit(sign_commit(unsigned, _WALLET.address, _WALLET.sign))
        commit_id = CommitId(store.put(CODEC_DAG_CBOR, block).digest)
        parents = (commit_id,)
        made.append(commit_id)
        n_bytes += len(block)
    remember_heads(workspace, {"main": made[-1]})
    remember_verified(workspace, made)
    workspace.set_head(Head("main", made[-1]))
    return n_bytes


def write_states(folder: Path, store: DiskStore, size: int) -> Iterator[Cid]:
    """Two states, of which one tensor in a hundred differs."""
    shape = (max(1, size // _N_TENSORS // 4 // 1024), 1024)
    for generation in range(2):
        tensors = {
            f"layer.{i:03d}.weight": np.random.default_rng(
                (i, generation if i == 0 else 0)
            ).standard_normal(shape, dtype=np.float32)
            for i in range(_N_TENSORS)
        }
        path = folder / "state.safetensors"
        save_file(tensors, path)
        manifest = import_weights(path, store, roles_by_pattern([("train", ["*"])]))
        path.unlink()
        yield store.put(CODEC_DAG_CBOR, encode_manifest(manifest))


def make_git(folder: Path, n_commits: int) -> None:
    """As many commits in a line, with messages as long."""
    folder.mkdir()
    _run(["git", "init", "-q", "-b", "main"], folder)
    lines = []
    for number in range(n_commits):
        text = f"round {number} of the study"
        lines += [
            "commit refs/heads/main",
            f"committer a <a@example.org> {1_700_000_000 + number} +0000",
            f"data {len(text)}",
            text,
            "M 644 inline weights",
            f"data {len(text)}",
            text,
            "",
        ]
    command = ["git", "fast-import", "--quiet"]
    _run(command, folder, given="\n".join(lines).encode())


def measure(folder: Path, n_commits: int, size: int, runs: int) -> dict[str, float]:
    """All figures, in seconds and as ratios."""
    logged, environment = make_world(folder / "log")
    store = logged.cache()
    with store.batch():
        root = store.put(CODEC_DAG_CBOR, b"\xa0")
        commit_states(logged, store, (root for _ in range(n_commits)))
    make_git(folder / "git", n_commits)
    flair = [str(Path(sys.executable).with_name("flair"))]
    first = _least(1, [*flair, "log", "--oneline"], logged.folder, environment)
    log = _least(runs, [*flair, "log", "--oneline"], logged.folder, environment)
    git = _least(runs, ["git", "log", "--oneline"], folder / "git", environment)
    one = _least(runs, [*flair, "log", "-n", "1"], logged.folder, environment)
    compared, environment = make_world(folder / "diff")
    states = compared.cache()
    commit_states(compared, states, write_states(folder, states, size))
    changed = _changed_files(states)
    diff = _least(runs, [*flair, "diff", "--stat"], compared.folder, environment)
    read_s = min(_seconds(lambda: _hash_files(changed)) for _ in range(runs))
    return {
        "n_commits": n_commits,
        "log_10000_s": log.wall_s,
        "log_10000_processor_s": log.processor_s,
        "log_first_time_s": first.wall_s,
        "log_one_commit_s": one.wall_s,
        "log_one_commit_processor_s": one.processor_s,
        "git_log_s": git.wall_s,
        "git_log_processor_s": git.processor_s,
        "times_git_log": round(log.wall_s / git.wall_s, 1),
        "log_limit_s": _LOG_LIMIT_S,
        "size_bytes": size,
        "diff_stat_1gb_s": diff.wall_s,
        "diff_stat_1gb_processor_s": diff.processor_s,
        "read_changed_s": round(read_s, 3),
        "times_read_changed": round(diff.wall_s / read_s, 1),
        "diff_limit_s": _DIFF_LIMIT_S,
    }


def _changed_files(store: DiskStore) -> list[Path]:
    """The files of the last tensors written and of those that they replaced."""
    files = sorted(
        (store.block_path(cid) for cid in store), key=lambda path: path.stat().st_mtime
    )
    raw = [path for path in files if path.suffix == ".raw"]
    share = max(1, len(raw) // (_N_TENSORS + 1))
    return [*raw[:share], *raw[-share:]]


def _hash_files(paths: list[Path]) -> None:
    for path in paths:
        hashlib.sha256(path.read_bytes())


@dataclass(frozen=True)
class _Took:
    """The least that a command took, from its start to its end."""

    wall_s: float
    processor_s: float


def _least(
    runs: int, command: list[str], folder: Path, environment: dict[str, str]
) -> _Took:
    walls, processors = [], []
    for _ in range(runs):
        before = _processor_s()
        walls.append(_seconds(lambda: _run(command, folder, environment)))
        processors.append(_processor_s() - before)
    return _Took(round(min(walls), 3), round(min(processors), 3))


def _processor_s() -> float:
    """Of all commands that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(
    command: list[str],
    folder: Path,
    environment: dict[str, str] | None = None,
    given: bytes | None = None,
) -> None:
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.decode()}")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def _folder(where: Path | None) -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(dir=where))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def main() -> int:
    """Measures and prints; 1 when a figure is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--commits", type=int, default=10_000, help="default 10000")
    parser.add_argument("--size", type=int, default=10**9, help="bytes, default 10^9")
    parser.add_argument("--runs", type=int, default=5, help="the least of them counts")
    parser.add_argument("--dir", type=Path, help="where the files are written")
    arguments = parser.parse_args()
    with _folder(arguments.dir) as folder:
        found = measure(folder, arguments.commits, arguments.size, arguments.runs)
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:24}{value}")
    within = (
        found["log_10000_s"] <= _LOG_LIMIT_S
        and found["diff_stat_1gb_s"] <= _DIFF_LIMIT_S
    )
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
