"""Slots and time of a localnet.

A new slot begins every 400 ms of wall time, and each transaction takes a slot of its
own. Slot and time follow from the last transaction that is on disk and the wall clock
alone, so that they go on after a kill and never go back.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

SLOT_MS: Final = 400
BLOCKHASH_SLOTS: Final = 150
SLOTS_PER_EPOCH: Final = 432_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A slot and the time when it begins, in milliseconds since 1970."""

    slot: int
    unix_ms: int

    @property
    def unix_timestamp(self) -> int:
        """Seconds since 1970, as programs see it."""
        return self.unix_ms // 1000

    @property
    def epoch(self) -> int:
        """The epoch that the slot belongs to."""
        return self.slot // SLOTS_PER_EPOCH


class SlotClock:
    """Tells the current slot; moved on by wall time and by transactions."""

    def __init__(self, last: Moment, wall_ms: Callable[[], int]) -> None:
        """Continues after `last`, the newest moment on disk."""
        self._last = last
        self._wall_ms = wall_ms
        self._newest_ms = last.unix_ms

    def now(self) -> Moment:
        """Gives the current moment; never before an earlier one."""
        # A wall clock that is set back stands still here until it has caught up.
        self._newest_ms = max(self._newest_ms, self._wall_ms())
        passed = (self._newest_ms - self._last.unix_ms) // SLOT_MS
        return Moment(self._last.slot + passed, self._newest_ms)

    def following(self) -> Moment:
        """Gives the moment that the next transaction takes."""
        now = self.now()
        return Moment(now.slot + 1, now.unix_ms)

    def advance(self, moment: Moment) -> None:
        """Goes on to a moment that is on disk now."""
        self._last = moment


class Blockhashes:
    """The hash of each slot's block: a function of genesis and slot.

    Nothing has to be kept: a hash given out before a kill holds after it.
    """

    def __init__(self, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        self.of_slot = lru_cache(maxsize=4 * BLOCKHASH_SLOTS)(self._compute)

    def _compute(self, slot: int) -> bytes:
        tag = b"flair localnet blockhash\0"
        return hashlib.sha256(
            tag + self._genesis_hash + slot.to_bytes(8, "little")
        ).digest()

    def is_valid(self, blockhash: bytes, slot: int) -> bool:
        """Tells whether a transaction may use a blockhash in a slot."""
        oldest = max(0, slot - BLOCKHASH_SLOTS)
        return any(
            self.of_slot(one) == blockhash for one in range(slot, oldest - 1, -1)
        )
