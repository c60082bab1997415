"""Rate of an upload to an IPFS node against `ipfs dag import`, and its memory.

Makes a model of random bytes in a folder, then sends it to a node of its own (offline,
at loopback), once as `flair push` does, in a process of its own whose memory is
measured, and once with Kubo's own command from a CAR of the same blocks. Each time the
node is new. Several rounds, best of each: other work on the machine slows both.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import cbor2

from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Cid
from flair_client.store import DiskStore, open_store
from flair_client.store.bulk import BlockSource, put_all, read_ahead
from flair_client.store.car import write_car
from flair_client.store.ipfs_daemon import require_kubo, run_kubo

_MIB = 1 << 20
_RATE_LIMIT, _MEMORY_LIMIT_MIB = 0.8, 64.0
_ORDER = "order.txt"


def make_model(folder: Path, n_mib: int) -> None:
    """Blocks of 1 MiB as a model has them, and an object that lists them."""
    store = DiskStore(folder / "blocks")
    cids = []
    for start in range(0, n_mib, 64):
        with store.batch():
            cids += [
                store.put(CODEC_RAW, os.urandom(_MIB))
                for _ in range(start, min(start + 64, n_mib))
            ]
    links = [cbor2.CBORTag(42, b"\0" + bytes(cid)) for cid in cids]
    cids.append(store.put(CODEC_DAG_CBOR, cbor2.dumps({"blocks": links})))
    (folder / _ORDER).write_text("\n".join(map(str, cids)))


def order_of(folder: Path) -> list[Cid]:
    """The blocks of the model in the order in which they are sent."""
    return [Cid.parse(line) for line in (folder / _ORDER).read_text().split()]


def write_model_car(folder: Path) -> Path:
    """The same blocks in a CAR, in the same order."""
    path, store = folder / "model.car", DiskStore(folder / "blocks")
    cids = order_of(folder)
    with path.open("wb") as out:
        write_car(out, cids[-1], ((cid, store.get(cid)) for cid in cids))
    return path


def child(folder: Path, url: str, what: str) -> dict[str, float]:
    """Sends or reads the model in this process; seconds, and memory that it took."""
    near, far = DiskStore(folder / "blocks"), open_store(url)
    cids = order_of(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    if what == "send":
        put_all(
            far,
            (
                BlockSource(
                    cid, near.block_path(cid).stat().st_size, partial(near.get, cid)
                )
                for cid in cids
            ),
        )
    else:
        for _ in read_ahead(far, cids):
            pass
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "total_mib": after / 1024,
        "mib": (after - before) / 1024,
    }


def in_child(folder: Path, url: str, what: str) -> dict[str, float]:
    """As `child`, in a process of its own."""
    words = [sys.executable, __file__, "--child", what, "--url", url]
    done = subprocess.run(
        [*words, "--folder", str(folder)], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def by_kubo(program: Path, car: Path, folder: Path) -> float:
    """Seconds of `ipfs dag import`, which pins the root as Flair does."""
    begun = time.perf_counter()
    subprocess.run(
        [program, "dag", "import", "--silent", car],
        env=os.environ | {"IPFS_PATH": str(folder)},
        check=True,
    )
    return time.perf_counter() - begun


def measure(program: Path, folder: Path, n_mib: int, rounds: int) -> dict[str, object]:
    """All figures: MB are 10^6 bytes, memory in MiB."""
    make_model(folder, n_mib)
    car = write_model_car(folder)
    sent, read, imported = [], [], []
    for number in range(rounds):
        with run_kubo(program, folder / f"ours{number}" / "repo") as node:
            sent.append(in_child(folder, node.url, "send"))
            read.append(in_child(folder, node.url, "read"))
        remove(folder / f"ours{number}")
        with run_kubo(program, folder / f"theirs{number}" / "repo") as node:
            imported.append(by_kubo(program, car, node.folder))
        remove(folder / f"theirs{number}")
    megabytes = n_mib * _MIB / 1e6
    ours = megabytes / min(one["seconds"] for one in sent)
    theirs = megabytes / min(imported)
    return {
        "model_mb": round(megabytes),
        "rounds": rounds,
        "kubo_upload_mb_per_s": round(ours, 1),
        "ipfs_dag_import_mb_per_s": round(theirs, 1),
        "rate_ratio": round(ours / theirs, 3),
        "kubo_read_mb_per_s": round(megabytes / min(one["seconds"] for one in read), 1),
        "upload_memory_mib": round(max(one["mib"] for one in sent), 1),
        "upload_process_mib": round(max(one["total_mib"] for one in sent), 1),
        "read_memory_mib": round(max(one["mib"] for one in read), 1),
    }


def remove(folder: Path) -> None:
    """A node's repository holds the whole model."""
    subprocess.run(["rm", "-rf", folder], check=True)


def main() -> int:
    """Gives 0 where the promises hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line on stdout")
    parser.add_argument("--mib", type=int, default=1908, help="size of the model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the model is made")
    parser.add_argument("--child", choices=("send", "read"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.folder, given.url, given.child)))
        return 0
    program = require_kubo(os.environ.get("FLAIR_KUBO"))
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        found = measure(program, Path(folder), given.mib, given.rounds)
    if given.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:28} {value}" for name, value in found.items()))
    good = float(str(found["rate_ratio"])) >= _RATE_LIMIT
    good &= float(str(found["upload_memory_mib"])) <= _MEMORY_LIMIT_MIB
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
