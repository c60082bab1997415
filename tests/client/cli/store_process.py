"""`flair store serve` as a process of its own, which tests kill, fill and restart."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys


class StoreProcess:
    """A server with a folder and a port that stay over its restarts."""

    def __init__(self, home, *flags, network="localnet"):
        self.home = home
        self.url = None
        self._flags = flags
        self._network = network
        self._port = "0"
        self._process = None

    def start(self, *, max_file=None):
        """Starts it; no file may grow beyond `max_file`, as on a full disk."""

        def limit():
            if max_file is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (max_file, max_file))

        words = [sys.executable, "-m", "flair_client.cli", "store", "serve"]
        words += ["--port", self._port, "--json", "--home", str(self.home)]
        words += ["--network", self._network]
        self._process = subprocess.Popen(
            [*words, *self._flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit,  # noqa: PLW1509 - this process has no thread that counts
            env={key: one for key, one in os.environ.items() if "FLAIR" not in key},
        )
        line = self._process.stdout.readline()
        result = json.loads(line)["result"] if line else None
        if result is None:
            raise AssertionError(line + self._process.communicate()[1])
        self.url = result["url"]
        self._port = self.url.rpartition(":")[2]
        return self

    def kill(self):
        """As a power cut does."""
        self._process.kill()
        self._wait()

    def stop(self):
        """As an operator does; gives its exit code."""
        self._process.terminate()
        return self._wait()

    def _wait(self):
        self._process.communicate(timeout=60)
        return self._process.returncode

    @property
    def is_running(self):
        return self._process is not None and self._process.poll() is None


@contextlib.contextmanager
def store_process(home, *flags, **how):
    """A server that is stopped at the end."""
    made = StoreProcess(home, *flags, **how)
    try:
        yield made
    finally:
        if made.is_running:
            made.kill()
