"""A small service ends when it is told to, however early."""

import subprocess
import sys

import pytest

_SCRIPT = """
import signal, sys
import uvicorn
from starlette.applications import Starlette
from flair_client.serving import listen, serve

begin = uvicorn.Server.run

def run(self, sockets=None):
    signal.raise_signal(int(sys.argv[1]))
    begin(self, sockets)

uvicorn.Server.run = run
with listen("127.0.0.1", 0) as listener:
    serve(Starlette(), listener)
print("ended")
"""


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_before_the_service_answers_is_not_lost(number):
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(number)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert ended.stdout == "ended\n"
