"""What data sources have given away: shown and listed."""

from dataclasses import dataclass
from pathlib import Path

from flair_client.data_sources import ledger_name, source_exists
from flair_client.errors import DataSourceMissing
from flair_client.porcelain.protection import Budget
from flair_client.privacy.ledger import (
    Charge,
    epsilon_spent,
    ledger_path,
    read_charges,
    sources_with_charges,
)


@dataclass(frozen=True, slots=True)
class SourceSpent:
    """A data source, and what all its updates together give away.

    Attributes:
        epsilon: privacy loss of all updates together.
        delta: chance that it is larger.
        max_epsilon: the most that it may be here.
        updates: each that left, over all repositories.
    """

    source: str
    epsilon: float
    delta: float
    max_epsilon: float
    updates: tuple[Charge, ...]


@dataclass(frozen=True, slots=True)
class SourcesSpent:
    """Every data source that gave something away with noise."""

    sources: tuple[SourceSpent, ...]


def privacy_show(home: Path, budget: Budget, source: str) -> SourceSpent:
    """Gives what a data source, by name or file, has given away.

    A name that was forgotten, or never was one here, is known by what was counted
    under it.

    Args:
        home: the user's folder.
        budget: that each data source has here.
        source: a name or a file.

    Raises:
        DataSourceMissing: there is no such source, no such file, and nothing counted.
        RecordDamaged: the ledger was changed.
        IdentifierInvalid: neither a file nor a name.
    """
    name = ledger_name(home, source)
    if not (source_exists(home, source) or ledger_path(home, name).exists()):
        raise DataSourceMissing(
            f"there is neither a data source nor a file {source!r}, and nothing is "
            "counted under that name"
        )
    return _spent(home, budget, name)


def privacy_list(home: Path, budget: Budget) -> SourcesSpent:
    """Gives what every data source has given away.

    Raises:
        RecordDamaged: a ledger was changed.
    """
    names = sources_with_charges(home)
    return SourcesSpent(tuple(_spent(home, budget, name) for name in names))


def _spent(home: Path, budget: Budget, name: str) -> SourceSpent:
    charges = read_charges(home, name)
    epsilon = epsilon_spent(charges, budget.delta)
    return SourceSpent(name, epsilon, budget.delta, budget.max_epsilon, charges)
