"""Aggregators in processes of their own, which may kill themselves on their way.

Reads lines of JSON, each a list of runs; forks a process for each run, all at once, and
answers with a line of JSON: how each ended and what it printed. One interpreter that
forks starts faster than one interpreter each.
"""

import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from flair_aggregator.outbox import open_outbox
from flair_aggregator.run import Stop, Voice, make_worker, run_once
from flair_aggregator.settings import Options
from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import load_wallet
from flair_client.context import Context
from flair_client.repo_address import RepoAddress
from flair_client.settings import NetworkProfile
from flair_client.store.base import open_store


def run(said, *, url, genesis_hash, store, wallet, repo, outbox, kill_at) -> None:
    """Looks once; says how many places it passed where it could have died."""
    passed = 0

    def place_of_death() -> None:
        nonlocal passed
        passed += 1
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    notes = open_outbox(Path(outbox))
    chain = ChainClient(Rpc(url, genesis_hash=genesis_hash))
    # After everything that lasts, and between a merge's blocks and its note.
    for target, name in (
        (notes, "begin"),
        (notes, "finish"),
        (notes, "keep_merge_commit"),
        (chain, "send"),
    ):
        is_merge = name == "keep_merge_commit"
        setattr(target, name, wrapped(getattr(target, name), place_of_death, is_merge))
    profile = NetworkProfile("localnet", url, genesis_hash, PROGRAM_ID, store)
    ctx = Context(profile, chain, open_store(store), load_wallet(Path(wallet)))
    worker = make_worker(
        ctx,
        RepoAddress.parse(repo),
        ("main",),
        outbox=notes,
        options=Options(),
        voice=Voice(said, said, said),
        stop=Stop(),
        patient=False,
    )
    run_once([worker])
    chain.close()
    notes.close()
    said(f"passed {passed}")


def wrapped(function, place_of_death, before):
    def call(*args, **kwargs):
        if before:
            place_of_death()
        result = function(*args, **kwargs)
        place_of_death()
        return result

    return call


def fork(arguments, output) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        run(lambda text: output.write(f"{text}\n"), **arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - a child must never go on as its parent
        traceback.print_exc(file=output)
    output.flush()
    os._exit(code)


def main() -> None:
    for line in sys.stdin:
        outputs = []
        pids = []
        for arguments in json.loads(line):
            outputs.append(tempfile.TemporaryFile("w+"))  # noqa: SIM115 - closed below
            pids.append(fork(arguments, outputs[-1]))
        ended = []
        for pid, output in zip(pids, outputs, strict=True):
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            output.seek(0)
            ended.append({"code": code, "text": output.read()})
            output.close()
        sys.stdout.write(json.dumps(ended) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
