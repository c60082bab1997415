"""The README's tour, as it stands there: its commands, in processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from flair_client.demo.datasets import load_dataset, write_csv

README = Path(__file__).parents[2] / "README.md"
BIN = Path(sys.executable).parent
READY_S = 60.0


def tour_blocks() -> list[str]:
    text = README.read_text().partition("## A tour")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


class Terminals:
    """Terminals that keep their folder and settings between blocks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "FLAIR_HOME": str(folder / "home"),
        }
        self.earlier: dict[str, str] = {}
        self.running: list[subprocess.Popen[str]] = []

    def run(self, block: str) -> str:
        """Runs a block in its terminal; gives what it printed."""
        name = re.match(r"# (terminal \d)", block)[1]
        # What changes a shell (folder, variables) holds for the terminal's next block.
        script = f"set -eu\n{self.earlier.get(name, '')}\n{block}"
        done = subprocess.run(
            ["bash", "-c", script],
            check=False,
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        kept = [line for line in block.splitlines() if re.match("(export|cd) ", line)]
        self.earlier[name] = "\n".join([self.earlier.get(name, ""), *kept])
        return done.stdout

    def start(self, block: str) -> subprocess.Popen[str]:
        """Starts a block that stays in the foreground."""
        child = subprocess.Popen(
            ["bash", "-c", f"exec {block.splitlines()[-1]}"],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self.running.append(child)
        return child

    def head(self) -> str:
        """The head of the tour's repository on chain."""
        command = 'flair repo show "$(flair wallet address owner)/heart" --json'
        shown = subprocess.run(
            ["bash", "-c", command],
            env=self.env,
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return str(json.loads(shown.stdout)["result"]["branches"][0]["head"])

    def wait_merged(self, before: str) -> str:
        """Waits for the aggregator, as the reader of the tour does."""
        for _ in range(int(READY_S / 0.5)):
            head = self.head()
            if head != before:
                return head
            time.sleep(0.5)
        pytest.fail(f"nothing was merged on {before}")

    def end(self) -> None:
        """Ctrl-C in every terminal that still runs something."""
        for child in reversed(self.running):
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=20)


@pytest.fixture
def terminals(tmp_path):
    data = tmp_path / "flair-demo" / "data"
    data.mkdir(parents=True)
    dataset = load_dataset("breast-cancer")
    for hospital in dataset.hospitals:
        write_csv(data / f"{hospital.name}.csv", dataset, hospital.train)
    rows = np.concatenate([hospital.train for hospital in dataset.hospitals])
    write_csv(data / "pooled.csv", dataset, rows)
    opened = Terminals(tmp_path)
    yield opened
    opened.end()


def test_the_tour_of_the_readme_runs_as_written(terminals):
    localnet, owner, bot, first, second, first_again, second_again, last = tour_blocks()
    # The port of the tour may be in use on this machine; the profile says which it is.
    running = terminals.start(localnet.replace("localnet", "localnet --port 0"))
    assert running.stdout.readline().startswith("rpc")
    terminals.run(owner)
    terminals.start(bot)
    root = terminals.head()
    terminals.run(first)
    terminals.run(second)
    statistics = terminals.wait_merged(root)
    terminals.run(first_again)
    terminals.run(second_again)
    merge = terminals.wait_merged(statistics)
    shown = terminals.run(last)
    assert merge[:12] in shown
    reverted = terminals.head()
    assert reverted not in (root, statistics, merge)
    assert reverted[:12] in shown
    assert (terminals.folder / "heart" / "model.safetensors").is_file()
