"""What the verbs of `flair indexer` give; `cli` speaks them."""

from dataclasses import dataclass

from flair_indexer.views import Progress


@dataclass(frozen=True, slots=True)
class IndexerRun:
    """What an indexer did, and how far it is."""

    database: str
    n_transactions: int
    n_events: int
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class IndexerStatus:
    """How far the mirror is.

    Attributes:
        revision: of the tables.
        chain_slot: the newest confirmed slot; None where the RPC does not answer.
        lag_slots: how many of them are not written yet.
        progress: None where no indexer has begun.
    """

    database: str
    revision: str | None
    chain_slot: int | None
    lag_slots: int | None
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class IndexerRebuilt:
    """The tables that follow from the chain, before and after.

    Attributes:
        identical: whether they are the same, byte for byte.
        digest_before, digest_after: sha-256 of their rows.
    """

    database: str
    n_events: int
    identical: bool
    digest_before: str
    digest_after: str


@dataclass(frozen=True, slots=True)
class IndexerMigrated:
    """Revisions of the tables; None where there were none."""

    database: str
    before: str | None
    after: str
