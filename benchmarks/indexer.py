"""How fast `flair indexer` takes in a chain, how much memory, how soon it is visible.

A chain of whole rounds in many repositories is recorded as a node would tell it (logs
and balances included, 3 kB a transaction) and replayed by an RPC of our own in another
process (`replay_rpc.py`). The indexer is the command itself, a process too; the rate
counts from its start to its end, the comparison with all accounts included. Server,
indexer and database share the two cores.
"""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import base58
from sqlalchemy import func, select

from replay_rpc import GENESIS_HASH, LIVE_TRANSACTIONS

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "indexer")]

from own_postgres import own_postgres, why_not  # noqa: E402 - the path comes first

from flair_client.chain.accounts import (  # noqa: E402 - as above
    ConfigAccount,
    PauseBits,
    encode_account,
)
from flair_client.chain.events import event_root  # noqa: E402 - as above
from flair_client.config_file import write_config  # noqa: E402 - as above
from flair_client.ids import ZERO_ADDRESS, Address, Digest  # noqa: E402 - as above
from flair_indexer.db import open_database  # noqa: E402 - as above
from flair_indexer.decode import base58_bytes  # noqa: E402 - as above
from flair_indexer.scripted import ScriptedChain  # noqa: E402 - as above
from flair_indexer.scripted_rounds import RoundScript  # noqa: E402 - as above
from flair_indexer.tables import EVENTS  # noqa: E402 - as above

_HERE = Path(__file__).parent
_RATE_LIMIT, _VISIBLE_LIMIT_MS = 5000, 300
_N_REPOS, _N_UPDATES = 20, 20
_LIVE_RATE = 50.0
_LOGS = [
    f"Program FLRK2f6aX5SoVuziobDG3LMD6TKc3nuVxECVhM5x2CBT {words}"
    for words in (
        "invoke [1]",
        "invoke [2]",
        "consumed 5210 of 187211 compute units",
        "success",
        "consumed 12580 of 200000 compute units",
        "success",
    )
]


def record(folder: Path, n_events: int) -> None:
    """Writes a chain of rounds in several repositories, an event a transaction."""
    chain = ScriptedChain()
    scripts = []
    for number in range(_N_REPOS):
        chain.next_slot()
        repo = chain.repo(f"model-{number}")
        branch = Address(hashlib.sha256(b"branch %d" % number).digest())
        scripts.append(RoundScript(chain, repo, branch))
        scripts[-1].begin()
    numbers = {one.address.raw: place for place, one in enumerate(chain.repos.values())}
    ends, slots, repos = array("Q"), array("Q"), array("H")
    roots, end = bytearray(), 0
    signatures: list[str] = []
    with (folder / "transactions.jsonl").open("wb") as file:
        while len(signatures) < n_events:
            for tx in chain.transactions()[: n_events - len(signatures)]:
                end += file.write(_answer(tx.as_json(0)))
                payload = base58_bytes(tx.calls[0]["data"])[8:]
                ends.append(end)
                slots.append(tx.slot)
                repos.append(numbers[tx.addresses[0]])
                roots += event_root(payload).raw
                signatures.append(tx.signature)
            chain.blocks.clear()
            for script in scripts:
                script.play(_N_UPDATES)
    (folder / "ends.bin").write_bytes(ends.tobytes())
    (folder / "slots.bin").write_bytes(slots.tobytes())
    (folder / "repos.bin").write_bytes(repos.tobytes())
    (folder / "roots.bin").write_bytes(roots)
    (folder / "signatures.txt").write_text("\n".join(signatures))
    names = [
        (f"model-{place}", str(one.creator), str(one.address))
        for place, one in enumerate(chain.repos.values())
    ]
    config = base58.b58encode(_config()).decode()
    (folder / "index.json").write_text(json.dumps({"repos": names, "config": config}))


def _config() -> bytes:
    return encode_account(
        ConfigAccount(
            bump=255,
            admin=ZERO_ADDRESS,
            pending_admin=ZERO_ADDRESS,
            treasury=ZERO_ADDRESS,
            fee_bps=0,
            pause_bits=PauseBits(0),
            genesis_tag=Digest(Address.parse(GENESIS_HASH).raw),
            event_seq=0,
            history_root=Digest(bytes(32)),
            mode_bits=0,
        )
    )


def _answer(tx_json: dict[str, Any]) -> bytes:
    """What a node says besides what the indexer needs."""
    keys = tx_json["transaction"]["message"]["accountKeys"]
    fillers = [str(Address(hashlib.sha256(b"%d" % n).digest())) for n in range(8)]
    keys += fillers
    tx_json["meta"] |= {
        "logMessages": _LOGS,
        "fee": 5000,
        "preBalances": [1_234_567_890] * len(keys),
        "postBalances": [1_234_562_890] * len(keys),
        "preTokenBalances": [],
        "postTokenBalances": [],
        "rewards": [],
        "computeUnitsConsumed": 12580,
        "status": {"Ok": None},
    }
    message = tx_json["transaction"]["message"]
    message["recentBlockhash"] = fillers[0]
    message["instructions"][0] |= {"accounts": list(range(12)), "data": "z" * 250}
    return json.dumps(tx_json).encode() + b"\n"


@contextlib.contextmanager
def replaying(folder: Path, *, live: bool = False) -> Iterator[str]:
    """Runs the RPC; gives its URL."""
    for name in ("port", "go", "live.jsonl"):
        (folder / name).unlink(missing_ok=True)
    command = [sys.executable, str(_HERE / "replay_rpc.py"), str(folder)]
    command += ["--live", str(_LIVE_RATE)] if live else []
    with subprocess.Popen(command) as server:
        try:
            while not (folder / "port").exists():
                if server.poll() is not None:
                    raise SystemExit("the RPC ended at once")
                time.sleep(0.02)
            yield f"http://127.0.0.1:{(folder / 'port').read_text()}"
        finally:
            server.kill()


def _command(home: Path, url: str, database: str, *words: str) -> tuple[Any, Any]:
    profile = {
        "network.replay.url": url,
        "network.replay.genesis_hash": GENESIS_HASH,
        "core.network": "replay",
    }
    home.mkdir(exist_ok=True)
    write_config(home / "config.toml", profile)
    command = [sys.executable, "-m", "flair_client.cli", "indexer", *words]
    command += ["--database", database, "--no-objects", "--json"]
    return command, {**os.environ, "FLAIR_HOME": str(home)}


def backfill(folder: Path, database: str, n_events: int) -> dict[str, int]:
    """Takes the whole chain in.

    Gives events a second, and what the indexer's process took: processor time, which
    tells more on a machine that does other work, and memory at its highest.
    """
    with replaying(folder) as url:
        command, env = _command(folder / "home", url, database, "backfill")
        begun = time.perf_counter()
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as child:
            out = child.stdout.read() if child.stdout else b""
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
    found = json.loads(out)["result"]
    if child.returncode != 0 or found["n_events"] != n_events:
        raise SystemExit(f"the indexer failed: {out.decode()[:500]}")
    if found["progress"]["behind"] or found["progress"]["different"]:
        raise SystemExit("repositories came out other than their accounts")
    return {
        "events_per_s": round(n_events / seconds),
        "cpu_us_per_event": round(1e6 * (used.ru_utime + used.ru_stime) / n_events),
        "mib": round(used.ru_maxrss / 1024),
    }


def rebuild(folder: Path, database: str) -> bool:
    """Whether a rebuild gives the same bytes."""
    with replaying(folder) as url:
        command, env = _command(folder / "home", url, database, "rebuild")
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True)
    return bool(json.loads(done.stdout)["result"]["identical"])


def visible(folder: Path, database: str) -> float:
    """The 95th percentile of ms from shown by the RPC to seen in the database."""
    with replaying(folder, live=True) as url:
        command, env = _command(folder / "home", url, database, "run")
        with subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as child:
            try:
                seen = _watch(folder, database)
            finally:
                child.terminate()
    shown = [json.loads(line) for line in (folder / "live.jsonl").open()]
    lags: list[float] = []
    for count, moment in shown:
        at = next((when for have, when in seen if have >= count), None)
        if at is None:
            raise SystemExit(f"event {count} was never seen")
        lags.append(1000 * (at - moment))
    return sorted(lags)[int(0.95 * len(lags))]


def _watch(folder: Path, url: str) -> list[tuple[int, float]]:
    """Counts what a reader sees, again and again, until everything is there."""
    total = len((folder / "signatures.txt").read_text().split())
    database = open_database(url)
    query = select(func.count()).select_from(EVENTS)
    seen: list[tuple[int, float]] = []
    while not seen or seen[-1][0] < total:
        time.sleep(0.01)
        with contextlib.suppress(Exception), database.reading() as connection:
            count = int(connection.scalar(query) or 0)
            if not seen or count > seen[-1][0]:
                seen.append((count, time.time()))
            if count >= total - LIVE_TRANSACTIONS:
                (folder / "go").touch()
    database.close()
    return seen


def measure(n_events: int) -> dict[str, Any]:
    """Gives every figure."""
    figures: dict[str, Any] = {"n_events": n_events, "postgres_events_per_s": None}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "all"
        folder.mkdir()
        record(folder, n_events)
        sqlite = f"sqlite:///{folder / 'index.sqlite'}"
        figures |= _named("sqlite", backfill(folder, sqlite, n_events))
        figures["rebuild_identical"] = rebuild(folder, sqlite)
        if why_not() is None:
            with own_postgres() as server:
                found = backfill(folder, server.new_database(), n_events)
            figures |= _named("postgres", found)
        short = Path(name) / "short"
        short.mkdir()
        record(short, LIVE_TRANSACTIONS + 1000)
        lag = visible(short, f"sqlite:///{short / 'live.sqlite'}")
        figures["visible_p95_ms"] = round(lag)
    return figures


def _named(database: str, found: dict[str, int]) -> dict[str, int]:
    return {f"{database}_{name}": value for name, value in found.items()}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=100_000)
    given = parser.parse_args()
    figures = measure(given.events)
    if given.json:
        print(json.dumps(figures))
        return
    print(f"{figures['n_events']} events, two cores")
    for name in ("sqlite", "postgres"):
        rate = figures[f"{name}_events_per_s"]
        if rate is None:
            print(f"{name}: {why_not()}")
            continue
        cpu, mib = figures[f"{name}_cpu_us_per_event"], figures[f"{name}_mib"]
        print(f"{name}: {rate} events/s (at least {_RATE_LIMIT}), {cpu} us, {mib} MiB")
    print(f"rebuild gives the same bytes: {figures['rebuild_identical']}")
    lag = figures["visible_p95_ms"]
    print(f"visible after {lag} ms, 95th percentile (at most {_VISIBLE_LIMIT_MS})")


if __name__ == "__main__":
    main()
