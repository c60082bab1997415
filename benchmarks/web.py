"""How soon each page of `flair web` comes, how many a second, how large the first is.

A database of many repositories is written as the indexer would have written it, with
blocks in a folder for the newest commits of each; the site is the command itself, one
process. Times are those of one reader on the same machine, a page of another repository
with each request, so that nothing is answered from memory; the rate is wrk's on one
repository's page, where it is installed.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "web")]

import numpy as np  # noqa: E402 - the path comes first
from page_rows import (  # noqa: E402 - as above
    NOW,
    ZERO,
    branch_row,
    commit_row,
    cursor_row,
    object_row,
    repo_rows,
    round_row,
    update_row,
)
from sqlalchemy import event  # noqa: E402 - as above

from flair_client.config_file import write_config  # noqa: E402 - as above
from flair_client.encoding import (  # noqa: E402 - as above
    encode_commit,
    encode_delta,
    encode_manifest,
    encode_recipe,
)
from flair_client.ids import (  # noqa: E402 - as above
    CODEC_DAG_CBOR,
    CODEC_RAW,
    Address,
    Cid,
    CommitId,
)
from flair_client.objects import (  # noqa: E402 - as above
    Commit,
    CommitKind,
    Recipe,
    RecipeFile,
    StrategyRecord,
)
from flair_client.store.base import Store, open_store  # noqa: E402 - as above
from flair_client.testing_objects import (  # noqa: E402 - as above
    make_address,
    make_commit,
    make_delta,
    make_manifest,
    sign,
)
from flair_indexer.bulk import insert_many  # noqa: E402 - as above
from flair_indexer.db import Database, open_database  # noqa: E402 - as above
from flair_indexer.objects import _commit_row  # noqa: E402 - the same rows
from flair_indexer.schema import migrate  # noqa: E402 - as above
from flair_indexer.tables import METADATA  # noqa: E402 - as above
from flair_web.app import create_app  # noqa: E402 - as above
from flair_web.settings import WebSettings  # noqa: E402 - as above

_P95_LIMIT_MS, _RPS_LIMIT, _FIRST_LIMIT_KB, _SQL_LIMIT = 50.0, 300.0, 60.0, 12
_N_CONTRIBUTORS = 8
_GENESIS = "7tpSNaVtNLWVkGyPWUR7oDnuLDnNsQRXU1dJXTs27F3E"
_CARD = "---\nlicense: apache-2.0\n---\n# A model\n\n" + "Words about the data. " * 80

Rows = dict[str, list[dict[str, Any]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Shared:
    """Blocks that all repositories have in common.

    Attributes:
        states: manifests of two states of a model.
        recipe: with a card.
        delta: of an update.
    """

    states: tuple[Cid, Cid]
    recipe: Cid
    delta: Cid


def fill(database: Database, store: Store, n_repos: int, n_commits: int) -> list[str]:
    """Writes repositories with two rounds each; gives their paths."""
    shared = _shared(store)
    each = n_commits // n_repos
    rows: Rows = {name: [] for name in METADATA.tables}
    paths = []
    for number in range(n_repos):
        paths.append(_repo(store, shared, rows, number, each))
        if len(rows["commits"]) > 20_000:
            _write(database, rows)
    rows["cursor"].append(
        cursor_row(genesis_hash=_GENESIS, reconciled_at=int(time.time()))
    )
    _write(database, rows)
    return paths


def _write(database: Database, rows: Rows) -> None:
    with database.unit() as connection:
        for name, listed in rows.items():
            insert_many(connection, METADATA.tables[name], listed, replaces=True)
            listed.clear()


def _shared(store: Store) -> Shared:
    rng = np.random.default_rng(7)
    tensors = {
        f"block.{n}.weight": rng.normal(size=(64, 32)).astype(np.float32)
        for n in range(12)
    }
    states = []
    for shift in (0.0, 0.01):
        moved = {name: value + np.float32(shift) for name, value in tensors.items()}
        manifest = make_manifest(store, moved)
        states.append(store.put(CODEC_DAG_CBOR, encode_manifest(manifest)))
    card = RecipeFile(
        path="CARD.md", size=len(_CARD), cid=store.put(CODEC_RAW, _CARD.encode())
    )
    recipe = store.put(CODEC_DAG_CBOR, encode_recipe(Recipe(files=(card,))))
    change = {name: np.ones((64, 32), np.int16) for name in tensors}
    delta = store.put(CODEC_DAG_CBOR, encode_delta(make_delta(store, change)))
    return Shared((states[0], states[1]), recipe, delta)


def _repo(store: Store, shared: Shared, rows: Rows, number: int, each: int) -> str:
    creator = make_address(1 + number % 50).raw
    made = repo_rows(f"model-{number:05}", creator, n_events=each + 40)
    for table, row in made.items():
        rows[table].append(row)
    repo = made["repos"]["repo"]
    branch = branch_row(repo)
    trial = branch_row(repo, "trial")
    n_trial = each // 10
    for place, line in ((each - n_trial - 2, branch), (n_trial, trial)):
        _old_commits(rows, line, place, number)
    base = _real(store, rows, _snapshot(shared, repo, branch))
    _move(rows, branch, base, "snapshot")
    updates = [
        _real(store, rows, _update(shared, repo, base, n), n + 2)
        for n in range(_N_CONTRIBUTORS)
    ]
    merge = _real(store, rows, _merge(shared, repo, base, updates))
    _move(rows, branch, merge, "merge", round_index=1)
    for index, state in ((1, "merged"), (2, "open")):
        _round(rows, branch, (index, state), updates, merge)
    branch |= {"round_index": 2, "is_round_live": True}
    rows["branches"] += [branch, trial]
    rows["head_checks"] += [_checked(branch), _checked(trial)]
    rows["roles"] += [_role(repo, n) for n in range(_N_CONTRIBUTORS)]
    return f"/{Address(creator)}/{made['repos']['name']}"


def _old_commits(rows: Rows, branch: dict[str, Any], count: int, number: int) -> None:
    for seq in range(1, count + 1):
        name = f"commit {number} {branch['name']} {seq}"
        commit_id = hashlib.sha256(name.encode()).digest()
        rows["commit_objects"].append(
            object_row(
                commit_id,
                message=f"old commit {seq}",
                parents=branch["head_commit"] if seq > 1 else b"",
                metrics=json.dumps({"auc": 0.5 + seq / 1000}),
            )
        )
        _move(rows, branch, CommitId(commit_id), "snapshot")


def _move(
    rows: Rows, branch: dict[str, Any], commit_id: CommitId, kind: str, **more: Any
) -> None:
    seq = branch["head_seq"] + 1
    offset = 0 if branch["name"] == "main" else 50_000
    rows["commits"].append(
        commit_row(
            branch,
            seq,
            commit_id.raw,
            kind=kind,
            old_head=branch["head_commit"],
            event_seq=seq + offset,
            **more,
        )
    )
    branch |= {"head_commit": commit_id.raw, "head_seq": seq}


def _snapshot(shared: Shared, repo: bytes, branch: dict[str, Any]) -> Commit:
    parents = (CommitId(branch["head_commit"]),)
    return make_commit(
        CommitKind.SNAPSHOT,
        repo=Address(repo),
        parents=parents,
        weights=shared.states[0],
        recipe=shared.recipe,
        metrics={"auc": 0.7},
    )


def _update(shared: Shared, repo: bytes, base: CommitId, n: int) -> Commit:
    return make_commit(
        CommitKind.UPDATE,
        repo=Address(repo),
        author=make_address(n + 2),
        parents=(base,),
        delta=shared.delta,
        metrics={"auc": 0.7 + n / 100},
    )


def _merge(
    shared: Shared, repo: bytes, base: CommitId, updates: list[CommitId]
) -> Commit:
    return make_commit(
        CommitKind.MERGE,
        repo=Address(repo),
        parents=(base, *sorted(updates)),
        weights=shared.states[1],
        recipe=shared.recipe,
        metrics={"auc": 0.75},
        round_index=1,
        strategy=StrategyRecord(
            id="fedavg", params={"eta_q24": 1 << 24}, weights=(1,) * len(updates)
        ),
    )


def _real(store: Store, rows: Rows, made: Commit, author: int = 1) -> CommitId:
    signed = sign(made, author)
    block = encode_commit(signed)
    commit_id = CommitId(store.put(CODEC_DAG_CBOR, block).digest)
    rows["commit_objects"].append(_commit_row(commit_id.raw, signed, len(block)))
    return commit_id


def _round(
    rows: Rows,
    branch: dict[str, Any],
    which: tuple[int, str],
    updates: list[CommitId],
    merge: CommitId,
) -> None:
    index, state = which
    is_merged = state == "merged"
    row = round_row(branch, index, state=state, deadline=int(time.time()) + 86_400)
    if is_merged:
        row |= {"merge_commit": merge.raw, "ended_at": NOW, "n_accepted": len(updates)}
    rows["rounds"].append(row)
    rows["updates"] += [
        update_row(
            branch,
            index,
            make_address(n + 2).raw,
            update.raw,
            state="merged" if is_merged else "pending",
            pushed_at=NOW + index,
        )
        for n, update in enumerate(updates)
    ]


def _checked(branch: dict[str, Any]) -> dict[str, Any]:
    return {
        "branch": branch["branch"],
        "repo": branch["repo"],
        "head_commit": branch["head_commit"],
        "head_seq": branch["head_seq"],
        "state": "valid",
        "valid_head": branch["head_commit"],
        "fault": None,
    }


def _role(repo: bytes, n: int) -> dict[str, Any]:
    return {
        "repo": repo,
        "branch": ZERO,
        "grantee": make_address(n + 2).raw,
        "scope": 1,
        "expires_at": 0,
        "authority_epoch": 0,
        "granted_by": make_address(1).raw,
    }


def pages(path: str, head: str, number: int) -> dict[str, str]:
    """One address of each kind of page; those without a repository get a number."""
    creator = path.split("/")[1]
    return {
        "home": f"/?n={number}",
        "search": f"/search?q=model-{number:05}",
        "repository": path,
        "log of all": f"{path}/log",
        "log of a branch": f"{path}/log/main",
        "commit": f"{path}/commit/{head}",
        "compare": f"{path}/compare?a=main&b={head[:12]}",
        "rounds": f"{path}/rounds",
        "round that is open": f"{path}/round/main/2",
        "round that is merged": f"{path}/round/main/1",
        "policies": f"{path}/policies",
        "policy": f"{path}/policy/0",
        "people": f"{path}/people",
        "queue": f"{path}/queue",
        "owner's wallet": f"/wallet/{creator}?n={number}",
        "contributor": f"/wallet/{make_address(2 + number % 8)}?n={number}",
        "health": f"/health?n={number}",
        "feed": f"{path}/feed.atom",
        "API of a repository": f"/api/v1/repos{path}",
    }


@contextlib.contextmanager
def served(folder: Path, url: str, store_url: str) -> Iterator[int]:
    """`flair web` as a process; gives its port."""
    home = folder / "home"
    write_config(
        home / "config.toml",
        {
            "network.localnet.url": "http://127.0.0.1:9",
            "network.localnet.genesis_hash": _GENESIS,
            "network.localnet.store": store_url,
        },
    )
    command = [sys.executable, "-m", "flair_client.cli", "web", "--home", str(home)]
    command += ["--database", url, "--port", "0", "--rate", "none"]
    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=folder, env=dict(os.environ)
    )
    try:
        line = child.stderr.readline() if child.stderr else ""
        found = re.search(r"http://127\.0\.0\.1:(\d+);", line)
        if found is None:
            raise SystemExit(f"flair web does not start: {line}")
        yield int(found.group(1))
    finally:
        child.terminate()
        child.wait(timeout=20)
        if child.stderr is not None:
            child.stderr.close()


def page_times(port: int, listed: list[dict[str, str]]) -> dict[str, float]:
    """The 95th percentile of each kind of page, in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found = {}
    for kind in listed[0]:
        times = []
        for one in listed:
            begun = time.perf_counter()
            _get(connection, one[kind])
            times.append((time.perf_counter() - begun) * 1000)
        # Templates are compiled with the first page of a kind, once in a process.
        found[kind] = float(np.percentile(times[1:], 95))
    connection.close()
    return found


def _get(
    connection: http.client.HTTPConnection, path: str, coding: str = "identity"
) -> bytes:
    connection.request("GET", path, headers={"Accept-Encoding": coding})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path} answers {answer.status}: {body[:200]!r}")
    return body


def requests_per_second(port: int, path: str, seconds: int) -> float:
    """How many pages of one repository come in a second."""
    url = f"http://127.0.0.1:{port}{path}"
    if shutil.which("wrk"):
        command = ["wrk", "-t1", "-c8", f"-d{seconds}s", url]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        if "Non-2xx" in told.stdout:
            raise SystemExit(told.stdout)
        return float(told.stdout.split("Requests/sec:")[1].split()[0])
    counts = [0] * 4

    def ask(place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            _get(connection, path)
            counts[place] += 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(counts))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(counts) / seconds


def first_page_kb(port: int) -> float:
    """The first page with what it loads, as a browser gets it, in kB."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    page = _get(connection, "/").decode()
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    total = sum(len(_get(connection, one, "br")) for one in ["/", *loaded])
    connection.close()
    return total / 1000


def statements(url: str, store_url: str, listed: dict[str, str]) -> dict[str, int]:
    """How many statements each kind of page takes; a begin reads nothing."""
    database = open_database(url)
    app = create_app(WebSettings(url, store_url, rate="", keep_s=0), database=database)
    counted: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            counted.append(statement)

    event.listen(database.engine, "before_cursor_execute", count)
    client = app.test_client()
    found = {}
    for kind, path in listed.items():
        counted.clear()
        if client.get(path).status_code != 200:
            raise SystemExit(f"{path} does not answer")
        found[kind] = len(counted)
    database.close()
    return found


def measure(sizes: argparse.Namespace) -> dict[str, Any]:
    """Fills a database and measures the site over it."""
    with tempfile.TemporaryDirectory(prefix="flair-web-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'index.sqlite'}"
        store_url = (folder / "blocks").as_uri()
        database = open_database(url)
        migrate(database)
        begun = time.perf_counter()
        store = open_store(store_url)
        with store.batch():
            paths = fill(database, store, sizes.repos, sizes.commits)
        filled_s = time.perf_counter() - begun
        rng = random.Random(1)  # noqa: S311 - the same pages with each run
        numbers = rng.sample(range(sizes.repos), min(sizes.pages, sizes.repos))
        heads = _heads(database)
        database.close()
        listed = [pages(paths[n], heads[paths[n]], n) for n in numbers]
        with served(folder, url, store_url) as port:
            times = page_times(port, listed)
            first = first_page_kb(port)
            rate = requests_per_second(port, paths[0], sizes.seconds)
        counts = statements(url, store_url, listed[0])
    worst = max(times, key=lambda kind: times[kind])
    return {
        "worst_page": worst,
        "worst_page_p95_ms": round(times[worst], 1),
        "repository_page_rps": round(rate, 0),
        "first_page_kb": round(first, 1),
        "max_sql_statements": max(counts.values()),
        "repositories": sizes.repos,
        "commits": sizes.commits,
        "rounds": 2 * sizes.repos,
        "filled_s": round(filled_s, 1),
        "page_p95_ms": {kind: round(value, 1) for kind, value in times.items()},
        "sql_statements": counts,
    }


def _heads(database: Database) -> dict[str, str]:
    from flair_indexer import queries

    with database.reading() as source:
        repos = queries.repos(source, limit=10**6)
        found = {}
        for one in repos:
            main = queries.branch_named(source, one.repo, "main")
            if main is not None:
                found[f"/{one.creator}/{one.name}"] = str(main.head_commit)
    return found


def main() -> int:
    """Prints the figures; 1 where a limit is not held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--repos", type=int, default=1000)
    parser.add_argument("--commits", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=60, help="requests of each kind")
    parser.add_argument("--seconds", type=int, default=5, help="of the rate")
    found = measure(parser.parse_args())
    holds = (
        found["worst_page_p95_ms"] <= _P95_LIMIT_MS
        and found["repository_page_rps"] >= _RPS_LIMIT
        and found["first_page_kb"] <= _FIRST_LIMIT_KB
        and found["max_sql_statements"] <= _SQL_LIMIT
    )
    if "--json" in sys.argv:
        print(json.dumps(found | {"holds": holds}))
    else:
        for name, value in found.items():
            print(f"{name:22} {value}")
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
