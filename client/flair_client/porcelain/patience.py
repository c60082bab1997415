"""How long an unattended contributor waits, and what it does not wait for.

An outage passes, and so does a race with others; an answer that makes no sense may be a
node that lags behind. Everything else is for a person.
"""

from collections.abc import Callable
from typing import Final

from flair_client.errors import (
    AlreadyPushed,
    ChainError,
    ClusterMismatch,
    ProgramRefused,
    RpcTimeout,
    RpcUnavailable,
    SponsorForesees,
    SponsorRefused,
    SponsorUnavailable,
    StaleBase,
    StoreError,
    StoreFull,
    StoreUnavailable,
    VerificationError,
    WorkspaceLocked,
)

MAX_PAUSE_S: Final = 300.0
# How often in a row something that makes no sense is tried again.
_MAX_DOUBTS: Final = 6
# A wait becomes longer while nothing happens, up to so many intervals.
_GROWTH: Final = 1.25
_MAX_INTERVALS: Final = 4.0
# Fewer while an update waits for its merge: the next training waits for it, too.
_MAX_BEFORE_MERGE: Final = 1.5
_OUTAGES: Final = (
    RpcUnavailable,
    RpcTimeout,
    StoreUnavailable,
    SponsorUnavailable,
    WorkspaceLocked,
    AlreadyPushed,
    StaleBase,
    TimeoutError,
    ConnectionError,
)
# Refusals of the program that mean that others were faster, or that it rests.
_PASSING: Final = frozenset(
    (
        "Paused",
        "HeadMoved",
        "PolicyMismatch",
        "RoundInProgress",
        "RoundNotLive",
        "RoundClosed",
        "RoundFull",
        "StaleBase",
        "UpdateStatus",
        "UpdateMismatch",
    )
)
# Refusals of a sponsor that another day, or another try, may not see again.
_SPONSOR_PASSING: Final = ("cap", "stale")
_DOUBTFUL: Final = (ChainError, StoreError, VerificationError, SponsorForesees)
_FINAL: Final = (StoreFull, ClusterMismatch)


class Patience:
    """Gives the next pause.

    Args of the constructor: about how long a look should wait for the next one, and
    numbers in [0, 1) that spread many contributors out.
    """

    def __init__(self, interval_s: float, jitter: Callable[[], float]) -> None:
        self._interval_s = interval_s
        self._jitter = jitter
        self._waits = 1.0
        self._n_failures = 0
        self._n_doubts = 0

    def went_well(self) -> None:
        """A step was done: look again soon."""
        self._waits = 1.0
        self._n_failures = 0
        self._n_doubts = 0

    def answered(self) -> None:
        """A look found everything in order."""
        self._n_failures = 0
        self._n_doubts = 0

    def wait(self, *, before_merge: bool = False) -> float:
        """The pause where there is nothing to do, in seconds.

        Args:
            before_merge: whether an update of one's own waits for its merge.
        """
        most = _MAX_BEFORE_MERGE if before_merge else _MAX_INTERVALS
        pause_s = self._interval_s * min(self._waits, most)
        self._waits = min(self._waits * _GROWTH, most)
        return self._spread(pause_s)

    def after(self, error: Exception) -> float:
        """The pause after an error that may pass, in seconds.

        Raises:
            Exception: the error, where waiting does not help.
        """
        if not self._may_pass(error):
            raise error
        pause_s = min(self._interval_s * 2.0**self._n_failures, MAX_PAUSE_S)
        self._n_failures = min(self._n_failures + 1, 30)
        return self._spread(pause_s)

    def _may_pass(self, error: Exception) -> bool:
        if isinstance(error, _OUTAGES):
            return True
        if isinstance(error, ProgramRefused) and error.number is not None:
            return error.name in _PASSING
        if isinstance(error, SponsorRefused) and error.code in _SPONSOR_PASSING:
            return True
        if "insufficient" in str(error).lower() or isinstance(error, _FINAL):
            return False
        if isinstance(error, _DOUBTFUL):
            self._n_doubts += 1
            return self._n_doubts < _MAX_DOUBTS
        return False

    def _spread(self, pause_s: float) -> float:
        return pause_s * (0.5 + self._jitter())
