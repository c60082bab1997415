"""One participant of the demo, a process of its own: wallet, workspace, own data.

Reads a line of JSON per step from standard input and answers each with a line. The
steps are the verbs of the command line, called with the same functions.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flair_client.chain.client import ChainClient
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import load_wallet
from flair_client.context import Context
from flair_client.demo.traffic import CountingStore
from flair_client.errors import FlairError
from flair_client.ids import Address
from flair_client.porcelain.clone import clone
from flair_client.porcelain.commit import commit
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.train import train
from flair_client.repo_address import RepoAddress
from flair_client.settings import NetworkProfile
from flair_client.store.base import open_store
from flair_client.workspace import find_workspace

Step = Callable[[Context, Path, Mapping[str, Any]], dict[str, Any]]


def _clone(ctx: Context, folder: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    made = clone(ctx, RepoAddress.parse(wanted["repo"]), folder, trust=True)
    return {"commit": str(made.commit), "n_verified": made.n_verified}


def _train(ctx: Context, folder: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    trained = train(
        ctx,
        find_workspace(folder),
        Path(wanted["data"]),
        seed=wanted["seed"],
        allow_one_class=True,
    )
    return {"num_samples": trained.num_samples}


def _commit(ctx: Context, folder: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    made = commit(ctx, find_workspace(folder), message=wanted["message"])
    return {"commit": str(made.commit), "clipped": made.clipped}


def _push(ctx: Context, folder: Path, _: Mapping[str, Any]) -> dict[str, Any]:
    pushed = push(ctx, find_workspace(folder))
    return {"commit": str(pushed.commit), "weight": pushed.weight}


def _pull(ctx: Context, folder: Path, _: Mapping[str, Any]) -> dict[str, Any]:
    pulled = pull(ctx, find_workspace(folder))
    return {
        "commit": str(pulled.commit),
        "n_verified": pulled.n_verified,
        "fault": pulled.fault,
    }


STEPS: Mapping[str, Step] = {
    "clone": _clone,
    "train": _train,
    "commit": _commit,
    "push": _push,
    "pull": _pull,
}


def make_context(
    profile: NetworkProfile, wallet: Path, store: CountingStore
) -> Context:
    """Opens chain and wallet of a participant."""
    rpc = Rpc(profile.rpc_url, genesis_hash=profile.genesis_hash)
    chain = ChainClient(rpc, profile.program_id)
    return Context(profile, chain, store, load_wallet(wallet))


def main() -> None:
    """Serves steps until standard input ends."""
    first = json.loads(sys.stdin.readline())
    network = first["network"]
    store = CountingStore(open_store(network["store_url"]))
    profile = NetworkProfile(
        **network | {"program_id": Address.parse(network["program_id"])}
    )
    ctx = make_context(profile, Path(first["wallet"]), store)
    folder = Path(first["folder"])
    _answer({"ok": True})
    for line in sys.stdin:
        wanted = json.loads(line)
        try:
            found = STEPS[wanted["step"]](ctx, folder, wanted)
        except FlairError as exc:
            _answer({"ok": False, "error": type(exc).__name__, "message": str(exc)})
            continue
        traffic = {"n_sent": store.n_sent, "n_fetched": store.n_fetched}
        _answer({"ok": True, "result": found, **traffic})
    ctx.chain.close()


def _answer(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
