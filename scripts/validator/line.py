"""The line from an empty folder to a verified model, by Flair's own commands."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validator.nodes import Chain

WALLETS = ("owner", "bot", "aachen", "bergen")
SITES = ("aachen", "bergen")
ROUNDS = 2
ROWS = 60
COMMAND_LIMIT_S = 180


class LineFailed(Exception):
    """A command of the line did not do what it should."""


@dataclass(slots=True)
class Line:
    """Commands run one after the other, and how long each took.

    Attributes:
        chain: where they act.
        folder: of all that they make.
        say: shows what runs.
    """

    chain: Chain
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    verbose: bool = True

    def flair(
        self, *arguments: str, wallet: str = "owner", inside: Path | None = None
    ) -> dict[str, Any]:
        """Runs a command; gives its result."""
        command = [sys.executable, "-m", "flair_client.cli", *arguments, "--json"]
        command += ["--network", self.chain.name, "--wallet", wallet]
        begun = time.monotonic()
        done = subprocess.run(
            command,
            cwd=inside or self.folder,
            env={**os.environ, "FLAIR_HOME": str(self.folder / "home")},
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        took = time.monotonic() - begun
        name = " ".join(arguments[: 2 if arguments[0] in _GROUPS else 1])
        self.seconds[name] = max(self.seconds.get(name, 0.0), took)
        if self.verbose:
            print(f"{took:6.2f} s  flair {' '.join(arguments)}", file=sys.stderr)
        if done.returncode != 0:
            raise LineFailed(f"flair {' '.join(arguments)}: {done.stdout}{done.stderr}")
        result = json.loads(done.stdout)["result"]
        return result if isinstance(result, dict) else {"": result}


_GROUPS = ("wallet", "network", "program", "repo", "role", "round", "aggregator")


def prepare(line: Line, wallets: Path | None = None) -> None:
    """Makes wallets (or takes those of another line) and a profile; sets up."""
    home = line.folder / "home"
    home.mkdir(parents=True)
    if wallets is not None:
        shutil.copytree(wallets, home / "wallets")
    line.flair(
        "network",
        "add",
        line.chain.name,
        "--url",
        line.chain.url,
        "--genesis-hash",
        line.chain.genesis_hash,
        "--store",
        (line.folder / "store").as_uri(),
        "--force",
    )
    for name in WALLETS:
        if wallets is None:
            line.flair("wallet", "new", name)
        line.flair("wallet", "airdrop", "10", wallet=name)
    if line.chain.upgrade_authority is not None:
        authority = str(line.chain.upgrade_authority)
        line.flair("wallet", "airdrop", "10", wallet=authority)
        line.flair("program", "init", wallet=authority)
    line.flair("program", "show")


def run(line: Line) -> Mapping[str, Any]:
    """Publishes, trains, merges, reverts, verifies; gives what verify found."""
    for number, site in enumerate(SITES):
        _write_table(line.folder / f"{site}.csv", number)
    model = line.folder / "heart"
    table = str(line.folder / "aachen.csv")
    line.flair("init", str(model), "--columns-from", table, "--target", "sick")
    rules = ("--min-updates", "2", "--max-updates", "2", "--invited")
    line.flair("repo", "create", "heart", *rules, inside=model)
    address = {
        name: line.flair("wallet", "address", wallet=name)["address"]
        for name in WALLETS
    }
    for site in SITES:
        line.flair("role", "grant", address[site], "contribute", inside=model)
    line.flair("role", "grant", address["bot"], "merge", inside=model)
    repo = f"{address['owner']}/heart"
    for site in SITES:
        where = str(line.folder / site)
        line.flair("clone", repo, where, "--trust", wallet=site)
    for _ in range(ROUNDS):
        _round(line, repo)
    line.flair("pull", inside=model)
    line.flair("log", inside=model)
    revert = ("--contributor", address["bergen"], "-m", "a closer look", "--yes")
    line.flair("revert", *revert, inside=model)
    line.flair("export", "-o", str(line.folder / "model.safetensors"), inside=model)
    return line.flair("verify", inside=model)


def _round(line: Line, repo: str) -> None:
    for site in SITES:
        where = line.folder / site
        line.flair("pull", wallet=site, inside=where)
        data = str(line.folder / f"{site}.csv")
        line.flair("train", "--data", data, wallet=site, inside=where)
        line.flair("commit", "-m", f"from {site}", wallet=site, inside=where)
        line.flair("push", wallet=site, inside=where)
    line.flair("aggregator", "once", "--repo", repo, wallet="bot")


def _write_table(path: Path, number: int) -> None:
    """Writes rows that nobody was ill for: seeded, with an effect to be found."""
    # Repeatable, and nothing that must be secret.
    seeded = random.Random(number)  # noqa: S311
    lines = ["age,pressure,sick"]
    for _ in range(ROWS):
        age, pressure = seeded.uniform(30, 80), seeded.gauss(130 + 5 * number, 15)
        is_sick = int(age + pressure + seeded.gauss(0, 20) > 190)
        lines.append(f"{age:.1f},{pressure:.1f},{is_sick}")
    path.write_text("\n".join(lines) + "\n")
