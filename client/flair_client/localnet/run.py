"""Starts a localnet: in this process, or as a child that is waited for."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import base58
from filelock import FileLock, Timeout

from flair_client.errors import ChainError, RpcTimeout, UsageError
from flair_client.localnet.bank import Bank
from flair_client.localnet.clock import Blockhashes, Moment, SlotClock
from flair_client.localnet.genesis import (
    ensure_config,
    ensure_genesis,
    ensure_program,
    newest_moment,
    open_wallets,
)
from flair_client.localnet.ledger import Ledger
from flair_client.localnet.methods import Node
from flair_client.serving import listen, serve, url_of

DEFAULT_PORT: Final = 8899
LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1")
READY_FILE: Final = "rpc.json"
_ELF_LIMIT: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Localnet:
    """A localnet that answers.

    Attributes:
        url: of its RPC.
        genesis_hash: in base58.
        pid: the process that runs it.
        data_dir: what it keeps.
    """

    url: str
    genesis_hash: str
    pid: int
    data_dir: Path

    @property
    def operator_wallet(self) -> Path:
        """The wallet of the program's upgrade authority and admin."""
        return self.data_dir / "operator.json"


def wall_clock_ms() -> int:
    """Gives milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000


def read_program(path: Path | None = None) -> bytes:
    """Gives the program's code: the packaged one, or another file's.

    Raises:
        UsageError: there is no such file, or it is no program.
    """
    packaged = files("flair_client.chain").joinpath("flair.so")
    name = "flair.so" if path is None else str(path)
    try:
        code = packaged.read_bytes() if path is None else path.read_bytes()
    except OSError as exc:
        raise UsageError(f"program {name} cannot be read: {exc.strerror}") from exc
    if not code.startswith(b"\x7fELF") or len(code) > _ELF_LIMIT:
        raise UsageError(f"{name} is not a compiled program")
    return code


@contextlib.contextmanager
def open_node(
    data_dir: Path,
    *,
    program_file: Path | None = None,
    reset: bool = False,
    wall_ms: Callable[[], int] = wall_clock_ms,
) -> Iterator[Node]:
    """Opens the chain of a folder for this process alone.

    Args:
        data_dir: made at the first start.
        program_file: another program than the packaged one.
        reset: forget the old chain; the wallets stay.
        wall_ms: milliseconds since 1970; another clock in tests.

    Raises:
        ChainError: another process uses the folder, or it is no localnet's.
        UsageError: the folder or the program cannot be used.
    """
    code = read_program(program_file)
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise UsageError(f"folder {data_dir} cannot be made: {exc.strerror}") from exc
    lock = FileLock(data_dir / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as exc:
        raise ChainError(f"another localnet runs in {data_dir}") from exc
    try:
        (data_dir / READY_FILE).unlink(missing_ok=True)
        if reset:
            for path in data_dir.glob("ledger.db*"):
                path.unlink()
        ledger = Ledger(data_dir / "ledger.db")
        try:
            yield _start(data_dir, ledger, code, wall_ms)
        finally:
            ledger.close()
    finally:
        lock.release()


def _start(
    data_dir: Path, ledger: Ledger, code: bytes, wall_ms: Callable[[], int]
) -> Node:
    wallets = open_wallets(data_dir)
    genesis_hash = ensure_genesis(ledger, wallets, Moment(0, wall_ms()))
    clock = SlotClock(newest_moment(ledger), wall_ms)
    ensure_program(ledger, code, wallets.operator.address, clock.now().slot)
    bank = Bank(ledger, clock, Blockhashes(genesis_hash))
    ensure_config(bank, wallets.operator, genesis_hash)
    return Node(bank, base58.b58encode(genesis_hash).decode(), wallets.faucet)


def run_localnet(
    data_dir: Path,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    *,
    program_file: Path | None = None,
    reset: bool = False,
    origins: Iterable[str] = (),
    on_ready: Callable[[Localnet], None] = lambda _localnet: None,
) -> None:
    """Runs a localnet until the process is told to stop.

    Writes `rpc.json` into the folder when it answers: url, genesis_hash, pid.

    Args:
        data_dir: what it keeps; made at the first start.
        host: 127.0.0.1 or ::1.
        port: 0 takes a free one.
        program_file: another program than the packaged one.
        reset: forget the old chain; the wallets stay.
        origins: web pages from there are answered too; from elsewhere never.
        on_ready: called when it answers.

    Raises:
        UsageError: another host than this machine's own, the port is taken, or an
            origin is none.
        ChainError: another process uses the folder, or it is no localnet's.
    """
    if host not in LOOPBACK_HOSTS:
        raise UsageError(
            f"a localnet answers this machine only, at 127.0.0.1 or ::1, not at {host}"
        )
    # Imported late: commands that start no localnet need no server.
    from flair_client.localnet.server import check_origin, create_app

    allowed = [check_origin(one) for one in origins]
    with (
        open_node(data_dir, program_file=program_file, reset=reset) as node,
        listen(host, port) as listener,
    ):
        localnet = Localnet(
            url=url_of(host, listener),
            genesis_hash=node.genesis_hash,
            pid=os.getpid(),
            data_dir=data_dir,
        )

        def ready() -> None:
            _write_ready(localnet)
            on_ready(localnet)

        try:
            serve(create_app(node, origins=allowed, on_ready=ready), listener)
        finally:
            (data_dir / READY_FILE).unlink(missing_ok=True)


def _write_ready(localnet: Localnet) -> None:
    path = localnet.data_dir / READY_FILE
    part = path.with_suffix(".part")
    part.write_text(
        json.dumps(
            {
                "url": localnet.url,
                "genesis_hash": localnet.genesis_hash,
                "pid": localnet.pid,
            }
        )
        + "\n"
    )
    part.replace(path)


def read_ready(data_dir: Path) -> Localnet | None:
    """Gives the localnet that answers for a folder, or None."""
    try:
        found = json.loads((data_dir / READY_FILE).read_text())
        return Localnet(found["url"], found["genesis_hash"], found["pid"], data_dir)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def start_localnet(
    data_dir: Path,
    *,
    port: int = 0,
    program_file: Path | None = None,
    origins: Iterable[str] = (),
    timeout_s: float = 60.0,
) -> Iterator[Localnet]:
    """Runs a localnet as a child process for the length of a `with` block.

    Args:
        data_dir: what it keeps; made at the first start.
        port: 0 takes a free one.
        program_file: another program than the packaged one.
        origins: web pages from there are answered too.
        timeout_s: until it must answer.

    Raises:
        ChainError: it ended before it answered; carries its last words.
        RpcTimeout: it did not answer in time.
    """
    command = [sys.executable, "-m", "flair_client.localnet", str(data_dir)]
    command += ["--port", str(port)]
    if program_file is not None:
        command += ["--program", str(program_file)]
    for one in origins:
        command += ["--allow-origin", one]
    with subprocess.Popen(  # noqa: S603 (our own module, no shell)
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            yield _wait_ready(child, data_dir, timeout_s)
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()


def _wait_ready(
    child: "subprocess.Popen[str]", data_dir: Path, timeout_s: float
) -> Localnet:
    for _ in range(int(timeout_s / 0.05)):
        if child.poll() is not None:
            words = child.stderr.read().strip() if child.stderr else ""
            raise ChainError(f"the localnet ended at once: {words[-500:]}")
        localnet = read_ready(data_dir)
        if localnet is not None and localnet.pid == child.pid:
            return localnet
        time.sleep(0.05)
    raise RpcTimeout(f"the localnet did not answer within {timeout_s:g} s")
