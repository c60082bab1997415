"""The demo's hold on its participants' processes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from flair_client.errors import Refused
from flair_client.settings import NetworkProfile

_T = TypeVar("_T")
_LAST_WORDS = 600


@dataclass(slots=True)
class Site:
    """A participant: its process, and what it moved so far.

    Attributes:
        n_sent, n_fetched: bytes to and from the shared store.
    """

    name: str
    child: "subprocess.Popen[bytes]"
    log: Path
    n_sent: int = 0
    n_fetched: int = 0
    _results: list[dict[str, Any]] = field(default_factory=list)

    def do(self, step: str, **wanted: Any) -> dict[str, Any]:
        """Has the participant make a step; gives what came of it.

        Raises:
            Refused: the step failed; carries the participant's message.
        """
        answer = self.ask({"step": step, **wanted})
        self.n_sent = answer["n_sent"]
        self.n_fetched = answer["n_fetched"]
        result: dict[str, Any] = answer["result"]
        return result

    def ask(self, line: dict[str, Any]) -> dict[str, Any]:
        """Sends a line and reads the answer.

        Raises:
            Refused: the process ended, or answered with an error.
        """
        if self.child.stdin is None or self.child.stdout is None:
            raise Refused(f"{self.name}: the process cannot be talked to")
        try:
            self.child.stdin.write(json.dumps(line).encode() + b"\n")
            text = self.child.stdout.readline()
        except BrokenPipeError:
            text = b""
        if not text:
            raise Refused(f"{self.name}: the process ended: {last_words(self.log)}")
        answer: dict[str, Any] = json.loads(text)
        if not answer["ok"]:
            raise Refused(f"{self.name}: {answer['message']}")
        return answer


def last_words(log: Path) -> str:
    """The end of what a process wrote before it ended."""
    return log.read_text(errors="replace").strip()[-_LAST_WORDS:] or "without a word"


@contextmanager
def start_sites(
    names: Sequence[str], network: NetworkProfile, folder: Path
) -> Iterator[tuple[Site, ...]]:
    """Starts a process per participant, all at once, for the length of a `with` block.

    Args:
        names: of wallets `folder/home/wallets/NAME.json` and workspaces `folder/NAME`.
        network: where all of them meet.
        folder: the demo's.
    """
    profile = asdict(network) | {"program_id": str(network.program_id)}
    with ExitStack() as stack:
        sites = []
        for name in names:
            log = folder / "logs" / f"{name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            errors = stack.enter_context(log.open("w"))
            child = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "flair_client.demo.site"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    # Nothing unsent may be left behind when the process dies.
                    bufsize=0,
                )
            )
            stack.callback(child.kill)
            sites.append(Site(name, child, log))
        together(
            [
                lambda site=site: site.ask(  # type: ignore[misc]
                    {
                        "network": profile,
                        "wallet": str(wallet_path(folder, site.name)),
                        "folder": str(folder / site.name),
                    }
                )
                for site in sites
            ]
        )
        yield tuple(sites)


def wallet_path(folder: Path, name: str) -> Path:
    """Where the demo keeps a participant's wallet."""
    return folder / "home" / "wallets" / f"{name}.json"


def together(jobs: Sequence[Callable[[], _T]]) -> list[_T]:
    """Runs jobs at the same time; the results in the order of the jobs."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]
