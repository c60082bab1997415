"""The site on the demo's data: an indexer and `flair web`, a process each."""

import importlib.util
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from flair_client.demo.sites import last_words
from flair_client.errors import ExtraMissing, Refused

_START_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.1
_URL: Final = re.compile(r"the site is at (\S+?);")
_NEEDED: Final = ("flair_web", "flask", "sqlalchemy")


def require_site() -> None:
    """Asks for what the site needs, before the demo has run.

    Raises:
        ExtraMissing: it is not installed.
    """
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            raise ExtraMissing("web", f"is not installed: there is no {name}")


@contextmanager
def start_pages(folder: Path, port: int) -> Iterator[str]:
    """Runs indexer and site for the length of a `with` block; gives the site's URL.

    Args:
        folder: the demo's, whose chain and store answer.
        port: of the site on this machine; 0 takes a free one.

    Raises:
        Refused: one of them ended; carries its last words.
    """
    home = ("--home", str(folder / "home"))
    database = ("--database", f"sqlite:///{folder / 'site.sqlite'}")
    # Everything up to now is there before the first page is.
    _run(folder, "backfill", ["indexer", "backfill", *database, *home])
    with ExitStack() as stack:
        stack.enter_context(
            _process(folder, "indexer", ["indexer", "run", *database, *home])
        )
        command = ["web", *database, *home, "--port", str(port), "--rate", "none"]
        child, log = stack.enter_context(_process(folder, "web", command))
        yield _url(child, log)


def wait_for_ctrl_c(folder: Path, port: int) -> Iterator[str]:
    """Gives the site's URL once, and goes on until Ctrl-C or SIGTERM.

    Raises:
        As `start_pages`.
    """
    with start_pages(folder, port) as url:
        yield url
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "flair_client.cli", *words]


def _run(folder: Path, name: str, words: Sequence[str]) -> None:
    log = folder / "logs" / f"{name}.log"
    with log.open("wb") as errors:
        done = subprocess.run(  # noqa: S603 (our own command, no shell)
            _command(words),
            cwd=folder.anchor,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            check=False,
        )
    if done.returncode:
        raise Refused(f"the indexer ended: {last_words(log)}")


@contextmanager
def _process(
    folder: Path, name: str, words: Sequence[str]
) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    log = folder / "logs" / f"{name}.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 (our own command, no shell)
            _command(words),
            # Somebody's workspace around the demo has settings of its own.
            cwd=folder.anchor,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        ) as child,
    ):
        try:
            yield child, log
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()


def _url(child: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and child.poll() is None:
        found = _URL.search(log.read_text(errors="replace"))
        if found is not None:
            return found.group(1)
        time.sleep(_POLL_S)
    raise Refused(f"the site does not start: {last_words(log)}")
