"""Runs `flair` in processes that are killed, and looks at what they leave."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

from work_world import Ran

# Points of one run at which it is killed, besides its last ones.
N_SPREAD = 8
N_LAST = 3
UNFINISHED_BLOCKS = (".flair", "objects", "tmp")


class KillServer:
    """Runs `flair` in child processes that can be killed on the way."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("kill_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self, person, *arguments, cwd, point=0, how=signal.SIGKILL, max_file=None
    ):
        order = {
            "arguments": [*map(str, arguments), "--home", str(person.home)],
            "cwd": str(cwd),
            "point": point,
            "signal": int(how),
            "max_file": max_file,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.points = answer["points"]
        return Ran(answer["code"], answer["out"], answer["err"])

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def points_of(n_points):
    """Some points from the first to the last, the last ones all."""
    spread = {1 + n * n_points // N_SPREAD for n in range(N_SPREAD)}
    last = {n_points - n for n in range(N_LAST)}
    return sorted(point for point in spread | last if 1 <= point <= n_points)


def state(folder):
    """Everything that a workspace holds, but locks and unfinished files.

    `config` may be written while another process has the lock, so that what a kill
    leaves of it is not removed by the next command.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        is_lock = str(name).startswith((".flair/lock", ".flair/.config."))
        if path.is_file() and not is_lock and name.parts[:3] != UNFINISHED_BLOCKS:
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
