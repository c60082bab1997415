"""A Kubo node of one's own: finds the program and runs it, on this machine alone.

It joins no network (`--offline`), listens at loopback, and has its repository in a
folder that the caller names.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.errors import KuboMissing, StoreUnavailable
from flair_client.own_node import find_program, place_looked_at, stop

PROGRAM: Final = "ipfs"
_START_S: Final = 60.0
_POLL_S: Final = 0.05
_LAST_WORDS: Final = 600


@dataclass(frozen=True, slots=True)
class Kubo:
    """A node that answers.

    Attributes:
        url: of its RPC, as the URL of a store.
        gateway: the URL of its gateway.
        folder: its repository.
        process: the daemon.
    """

    url: str
    gateway: str
    folder: Path
    process: "subprocess.Popen[bytes]"


def find_kubo(named: str | None = None) -> Path | None:
    """Gives Kubo's program, as `find_program`."""
    return find_program(PROGRAM, named)


def require_kubo(named: str | None = None) -> Path:
    """Gives Kubo's program, as `find_kubo`.

    Raises:
        KuboMissing: it is not there.
    """
    found = find_kubo(named)
    if found is None:
        where = place_looked_at(PROGRAM, named)
        raise KuboMissing(f"this needs an IPFS node, and there is no {where}")
    return found


@contextmanager
def run_kubo(program: Path, folder: Path) -> Iterator[Kubo]:
    """Runs a node for the length of a `with` block.

    Args:
        program: Kubo's.
        folder: the repository, made where it is not there; beside it the log.

    Raises:
        StoreUnavailable: the node does not start; carries its last words.
    """
    log = folder.with_name(f"{folder.name}.log")
    environment = {**os.environ, "IPFS_PATH": str(folder), "IPFS_TELEMETRY": "off"}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        if not (folder / "config").exists():
            # Ports that are free, no bootstrap nodes, nothing announced.
            _run_once(program, ["init", "--profile", "test"], environment, log)
        # What an earlier run said does not count.
        begun = log.stat().st_size
        with subprocess.Popen(  # noqa: S603 (a program that the user named, no shell)
            [program, "daemon", "--offline"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process:
            try:
                yield _wait_for(process, folder, log, begun)
            finally:
                stop(process)


def _run_once(
    program: Path, words: list[str], environment: dict[str, str], log: Path
) -> None:
    done = subprocess.run(  # noqa: S603 (as above)
        [program, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    log.write_bytes(done.stdout)
    if done.returncode:
        raise StoreUnavailable(f"Kubo cannot make a repository: {_last_words(log)}")


def _wait_for(
    process: "subprocess.Popen[bytes]", folder: Path, log: Path, begun: int
) -> Kubo:
    ends = time.monotonic() + _START_S
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise StoreUnavailable(f"Kubo ended: {_last_words(log)}")
        # It says so when every part of it listens.
        if b"Daemon is ready" in log.read_bytes()[begun:]:
            api = _address(folder / "api")
            gateway = (folder / "gateway").read_text().strip()
            return Kubo(f"kubo://{api}", gateway, folder, process)
        time.sleep(_POLL_S)
    raise StoreUnavailable(f"Kubo does not start: {_last_words(log)}")


def _address(path: Path) -> str:
    """`/ip4/127.0.0.1/tcp/5001` as `127.0.0.1:5001`."""
    _, _, host, _, port = path.read_text().strip().split("/")
    return f"{host}:{port}"


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-_LAST_WORDS:]
