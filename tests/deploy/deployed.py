"""What `deploy/` says to start, read and started as plain processes at loopback."""

import contextlib
import os
import shlex
import socket
import string
import subprocess
import sys
import time
from pathlib import Path

import httpx
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
BIN = Path(sys.executable).parent
_WAIT_S = 60.0


def read_env():
    """The variables of `flair.env`."""
    pairs = [
        line.partition("=")[::2]
        for line in (DEPLOY / "flair.env").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return dict(pairs)


def unit_commands():
    """The `ExecStart` of each unit, without the folders that programs lie in."""
    found = {}
    for path in sorted((DEPLOY / "systemd").glob("flair-*.service")):
        (line,) = [
            one for one in path.read_text().splitlines() if one.startswith("ExecStart=")
        ]
        program, _, rest = line.partition("=")[2].partition(" ")
        name = path.stem.removeprefix("flair-")
        found[name] = f"{Path(program).name} {rest}"
    return found


def compose_commands():
    """The command of each service, as its shell gets it."""
    found = {}
    file = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in file["services"].items():
        words = service["command"]
        if words[:2] == ["sh", "-c"]:
            found[name] = words[2].removeprefix("exec ").replace("$$", "$")
        elif name == "kubo":
            found[name] = " ".join(["ipfs", *words])
    return found


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


class Site:
    """Services that run, and what they are told.

    Attributes:
        env: of `flair.env`, with places and ports of a test.
    """

    def __init__(self, folder, commands, **changes):
        self.commands = commands
        self.log = folder / "log"
        self.log.mkdir(parents=True, exist_ok=True)
        names = [name for name in read_env() if name.endswith("_PORT")]
        self.env = read_env() | {name: free_port() for name in names}
        self.env |= {"FLAIR_HOME": str(folder / "home")} | changes
        self.running = {}

    def process_env(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FLAIR")}
        return {**kept, **self.env, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def words(self, name):
        """The very command of a service, its variables filled in."""
        return [
            string.Template(word).substitute(self.env)
            for word in shlex.split(self.commands[name])
        ]

    def start(self, name):
        with (self.log / name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.words(name),
                env=self.process_env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def flair(self, *words):
        """Runs the command with the services' settings."""
        done = subprocess.run(
            [str(BIN / "flair"), *map(str, words)],
            env=self.process_env(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    def script(self, name, *words):
        """Runs one of the scripts beside the units."""
        done = subprocess.run(
            [str(DEPLOY / name), *map(str, words)],
            env=self.process_env() | {"FLAIR": str(BIN / "flair")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def url(self, variable, path=""):
        return f"http://127.0.0.1:{self.env[variable]}{path}"

    def wait(self, name, ready, what="it answers"):
        """Waits until something holds; a service that failed is started again.

        So say the units (`Restart=on-failure`): the site begins before the indexer has
        made its tables.
        """
        ends = time.monotonic() + _WAIT_S
        while time.monotonic() < ends:
            if self.running[name].poll():
                self.start(name)
            with contextlib.suppress(httpx.TransportError):
                found = ready()
                if found:
                    return found
            time.sleep(0.1)
        raise AssertionError(f"{name}: not true in time: {what}\n{self.said(name)}")

    def said(self, name):
        return (self.log / name).read_text(errors="replace")[-3000:]

    def stop(self, *names):
        """Stops services in good order; each ends by itself."""
        for name in names:
            process = self.running.pop(name)
            process.terminate()
            assert process.wait(60) in (0, -15), self.said(name)

    def close(self):
        for process in self.running.values():
            process.kill()
            process.wait(60)


def get(url):
    return httpx.get(url, trust_env=False, timeout=20)


def is_good(url):
    return get(url).status_code == 200


def rpc_answers(site):
    question = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    answer = httpx.post(site.url("SITE_RPC_PORT"), json=question, trust_env=False)
    return answer.json().get("result") == "ok"
