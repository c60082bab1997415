"""Frames between this process and one that it started, over its pipes."""

import contextlib
import subprocess
from typing import IO, Final

_LENGTH: Final = 8


def write_frame(stream: IO[bytes], content: bytes) -> None:
    """Writes bytes and how many they are.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    stream.write(len(content).to_bytes(_LENGTH, "little"))
    stream.write(content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Reads what `write_frame` wrote; None where the other side ended."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    size = int.from_bytes(head, "little")
    content = stream.read(size)
    return content if len(content) == size else None


def stop_child(child: "subprocess.Popen[bytes]") -> None:
    """Ends a process that keeps nothing, whatever it is at."""
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            # What was not sent yet is sent to nobody.
            with contextlib.suppress(BrokenPipeError):
                stream.close()
