"""Time to commit a large safetensors file, against hashing and copying it.

Prints the ratio of the first commit to (sha256 of the file + durable copy of it), and
of a second commit, after one tensor in a hundred changed, to the same. Everything runs
in one process on one file system, one after the other.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from flair_client.encoding import encode_manifest, weights_digest
from flair_client.ids import CODEC_DAG_CBOR
from flair_client.store import DiskStore
from flair_client.weights import FingerprintCache, import_weights, roles_by_pattern

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_N_TENSORS = 200
_FIRST_LIMIT, _AGAIN_LIMIT = 1.5, 0.1


def parse_size(text: str) -> int:
    """Bytes of `1GB`, `250MB`."""
    number, unit = text[:-2], text[-2:].upper()
    if unit not in _UNITS or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1GB")
    return int(number) * _UNITS[unit]


def write_model(path: Path, size: int, generation: int) -> None:
    """Trained-looking floats: random, so that they do not compress.

    Args:
        path: the file.
        size: bytes of all tensors together.
        generation: one tensor in a hundred is other in another generation.
    """
    n_rows = max(1, size // _N_TENSORS // 4 // 1024)
    tensors = {}
    for i in range(_N_TENSORS):
        changed = generation if i % 100 == 0 else 0
        numbers = np.random.default_rng((i, changed))
        tensors[f"layer.{i:03d}.weight"] = numbers.standard_normal(
            (n_rows, 1024), dtype=np.float32
        )
    save_file(tensors, path, metadata={"generation": str(generation)})
    _force(path)


def hash_and_copy(path: Path, copy: Path) -> None:
    """What the commit is measured against."""
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    shutil.copyfile(path, copy)
    _force(copy)


def commit(path: Path, store: DiskStore, cache_path: Path) -> str:
    """What `flair commit --snapshot` does with the weights; gives their digest."""
    cache = FingerprintCache(cache_path)
    roles = roles_by_pattern([("train", ["*"])])
    manifest = import_weights(path, store, roles, cache=cache)
    store.put(CODEC_DAG_CBOR, encode_manifest(manifest))
    return str(weights_digest(manifest))


def measure(folder: Path, size: int) -> dict[str, float | int]:
    """All figures, in seconds and as ratios."""
    first, again, copy = (folder / name for name in ("first", "again", "copy"))
    write_model(first, size, 0)
    write_model(again, size, 1)
    store = DiskStore(folder / "store")
    cache = folder / "fingerprints"
    os.sync()
    peer_s = _seconds(lambda: hash_and_copy(first, copy))
    copy.unlink()
    os.sync()
    first_s = _seconds(lambda: commit(first, store, cache))
    os.sync()
    again_s = _seconds(lambda: commit(again, store, cache))
    return {
        "size_bytes": first.stat().st_size,
        "peer_s": round(peer_s, 3),
        "first_s": round(first_s, 3),
        "again_s": round(again_s, 3),
        "first_ratio": round(first_s / peer_s, 3),
        "again_ratio": round(again_s / peer_s, 3),
        "first_limit": _FIRST_LIMIT,
        "again_limit": _AGAIN_LIMIT,
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _force(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def main() -> int:
    """Measures and prints; 1 when a ratio is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--size", type=parse_size, default="1GB", help="default 1GB")
    parser.add_argument("--dir", type=Path, help="where the files are written")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
        figures = measure(Path(folder), arguments.size)
    if arguments.json:
        print(json.dumps(figures))
    else:
        size_mb = figures["size_bytes"] / 10**6
        print(f"file                        {size_mb:8.0f} MB")
        print(f"sha256 + copy               {figures['peer_s']:8.2f} s")
        for name, limit in (("first", _FIRST_LIMIT), ("again", _AGAIN_LIMIT)):
            seconds, ratio = figures[f"{name}_s"], figures[f"{name}_ratio"]
            label = "commit" if name == "first" else "commit, 1 % changed"
            print(f"{label:28}{seconds:8.2f} s  ratio {ratio:.3f} (at most {limit})")
    within = (
        figures["first_ratio"] <= _FIRST_LIMIT
        and figures["again_ratio"] <= _AGAIN_LIMIT
    )
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
