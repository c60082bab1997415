"""Merging takes no more memory than two models, however many updates there are."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from history_world import PARAMS, World

from flair_client.chain.signer import KeypairSigner
from flair_client.encoding import decode_commit, decode_delta
from flair_client.store import DiskStore

HERE = Path(__file__).parent
SHAPE = (2048, 4096)
MODEL_BYTES = 4 * SHAPE[0] * SHAPE[1]


def grown_by(folder: Path, n_updates: int) -> int:
    """Bytes by which a process grows that verifies and merges so many updates."""
    store = DiskStore(folder / "store")
    # The big tensor, and the weight and bias that every model of these tests has.
    n_params = SHAPE[0] * SHAPE[1] + 8
    params = replace(
        PARAMS, max_updates=n_updates, norm_bound_sq=2**60, n_params=n_params
    )
    world = World(store=store, params=params)
    numbers = np.random.default_rng(5)
    world.publish_root(tensors={"big": numbers.standard_normal(SHAPE, np.float32)})
    world.open_round()
    small = {"bias": np.ones(2, np.int16), "weight": np.zeros((2, 3), np.int16)}
    big = {"big": numbers.integers(-4000, 4000, SHAPE).astype(np.int16)}
    first = world.push(site(0), ints=small | big)
    commit = decode_commit(store.get(first.cid))
    delta = decode_delta(store.get(commit.delta))
    for number in range(1, n_updates):
        # The same blocks under another name: they are read anew for each update.
        same = {"tensors": delta.tensors, "norm_sq": delta.norm_sq}
        world.push(site(number), ints=small, delta_fields=same, weight=1 << number % 3)
    world.close_round()
    world.accumulate()
    events = folder / "events"
    events.write_text("\n".join(one.hex() for one in world.events))
    arguments = [sys.executable, HERE / "merge_child.py", folder / "store", events]
    arguments += [world.repo_address, world.main]
    # The shell in between is small: a process begins with its parent's peak.
    done = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(HERE.parent / "client" / "history")},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[0])


def site(number: int) -> KeypairSigner:
    return KeypairSigner(bytes([100 + number]) * 32)


def test_sixteen_updates_of_a_32_mb_model_take_at_most_two_models(tmp_path):
    # All updates together would be eight models: 16 bits a value instead of 32.
    grown = grown_by(tmp_path, 16)

    assert 0 < grown <= 2 * MODEL_BYTES
