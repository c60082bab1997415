"""What ends the pause between two looks: a tick, or a sign that something happened.

A sign is only ever a reason to look: what it says is not used, so that one that is
lost, late or out of order costs a tick and nothing else.
"""

import threading
from typing import Protocol


class Wakeup(Protocol):
    """Waits until it is worth looking again."""

    def wait(self, timeout_s: float) -> None:
        """Returns after a sign, and no later than `timeout_s`."""

    def stop(self) -> None:
        """Ends a wait and every later one at once; from any thread or signal."""

    def close(self) -> None:
        """Lets go of connections."""


class Tick:
    """Looks again when the time is over."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def wait(self, timeout_s: float) -> None:
        """Returns after `timeout_s`."""
        self._stopped.wait(timeout_s)

    def stop(self) -> None:
        """Ends a wait and every later one at once."""
        self._stopped.set()

    def close(self) -> None:
        """There is nothing to let go of."""
