"""How an aggregator works: what it is told at its start, and limits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.training.data import ColumnMap

# Twenty updates make a transaction of about 1,100 of the 1,232 bytes.
ACCUMULATE_BATCH: Final = 20
# Closing instructions in one transaction: about 115 bytes each, 300 for all.
CLOSING_BATCH: Final = 6


@dataclass(frozen=True, slots=True)
class Options:
    """What an aggregator was told.

    Attributes:
        interval_s: pause between two looks at the chain.
        open_rounds: open a round where none is live.
        reject_flagged: reject updates that a gate flags; owners can.
        held_out: rows on which updates are scored, where the owner gave some.
        held_out_map: how the columns of that file give the recipe's.
        backoff_s: pause after a failure; doubles with each further one.
        backoff_limit_s: no pause is longer.
        hold_s: pause before a refused step is tried again.
        lamports_per_day: most that fees and rent may cost within a day, in UTC; None
            is no limit.
    """

    interval_s: float = 2.0
    open_rounds: bool = False
    reject_flagged: bool = False
    held_out: Path | None = None
    held_out_map: ColumnMap | None = None
    backoff_s: float = 2.0
    backoff_limit_s: float = 60.0
    hold_s: float = 30.0
    lamports_per_day: int | None = None
