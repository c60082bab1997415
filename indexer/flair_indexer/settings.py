"""What an indexer is told: values only; where they come from is `cli`'s business."""

from dataclasses import dataclass
from typing import Final

DATABASE_SETTING: Final = "indexer.database"
DATABASE_VARIABLE: Final = "FLAIR_INDEXER_DATABASE"


@dataclass(frozen=True, slots=True)
class Options:
    """How an indexer works.

    Attributes:
        tick_s: pause between two looks where nothing wakes it.
        page_size: transactions in one listing; the RPC's limit is 1,000.
        batch_size: transactions fetched in one request; 1 for an RPC that takes no
            batches.
        unit_size: transactions in one unit of work, but for the rest of the last slot.
        first_unit_size: the most in the first unit of a look.
        aside_above: with more transactions waiting, they are fetched in a process of
            their own.
        null_attempts: so often a listed transaction that the RPC does not give is asked
            for before it is called dead; it is asked for still.
        retry_s, retry_limit_s: pause after the first failure, which doubles, and the
            longest.
        reconcile_s: pause between two comparisons with the accounts.
        check_s: pause between two looks for heads to check and blocks to fetch, and
            after the first failure to fetch one, which doubles.
        fetch_limit_s: the longest pause before a missing block is asked for again.
    """

    tick_s: float = 0.2
    page_size: int = 1000
    batch_size: int = 100
    unit_size: int = 2000
    first_unit_size: int = 200
    aside_above: int = 5000
    null_attempts: int = 8
    retry_s: float = 0.25
    retry_limit_s: float = 30.0
    reconcile_s: float = 60.0
    check_s: float = 5.0
    fetch_limit_s: float = 600.0
