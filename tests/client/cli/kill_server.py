"""Runs `flair` in child processes and kills them at a chosen point. No test itself.

A process that has imported everything once forks for each run: a start of Python for
every kill would take most of the time. It reads a JSON object a line:

    {"arguments": […], "cwd": "…", "point": 17, "signal": 9, "max_file": null}

and answers with one: exit code or signal, how many points there were, stdout, stderr.

A point is reached whenever the child is about to make, rename or remove a file, or has
sent a request to the chain, or got its answer. With `point` 0 nobody is killed. With
`max_file` no file may grow beyond so many bytes, as on a disk that is full.
"""

import json
import os
import resource
import signal
import sys
import tempfile

import httpx

from flair_client.chain import client, rpc, signer  # noqa: F401 - imported once for all
from flair_client.cli import clone, commit, pull, push  # noqa: F401 - the same
from flair_client.cli.app import run

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class _Points:
    """Counts, and kills this process when it is time."""

    def __init__(self, at: int, how: int, report: int) -> None:
        self.count = 0
        self._at = at
        self._how = how
        self._report = report

    def reached(self) -> None:
        self.count += 1
        if self.count == self._at:
            os.kill(os.getpid(), self._how)

    def hook(self, event: str, arguments: tuple) -> None:
        if event in _CHANGES or (
            event == "open"
            and isinstance(arguments[2], int)
            and arguments[2] & _WRITING
        ):
            self.reached()

    def tell(self) -> None:
        os.write(self._report, str(self.count).encode())


def _child(order: dict, out: int, err: int, report: int) -> None:
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(order["cwd"])
    if order["max_file"]:
        size = order["max_file"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    points = _Points(order["point"], order["signal"], report)
    send = httpx.Client.send

    def watched(self, request, **more):
        points.reached()
        answer = send(self, request, **more)
        points.reached()
        return answer

    httpx.Client.send = watched
    sys.addaudithook(points.hook)
    code = 70
    try:
        code = run(order["arguments"])
    finally:
        points.tell()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(order: dict) -> dict:
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            _child(order, out.fileno(), err.fileno(), writer)
        os.close(writer)
        _, status = os.waitpid(pid, 0)
        counted = os.read(reader, 100)
        os.close(reader)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return {
        "code": os.waitstatus_to_exitcode(status),
        "points": int(counted or 0),
        "out": texts[0],
        "err": texts[1],
    }


def main() -> None:
    """Answers orders until there are no more."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        answer = _run(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
