"""What data sources have given away: shown and listed."""

from dataclasses import dataclass

from flair_client.context import Context
from flair_client.data_sources import ledger_name
from flair_client.errors import WorkspaceError
from flair_client.porcelain.protection import budget_of
from flair_client.privacy.ledger import (
    Charge,
    epsilon_spent,
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


def privacy_show(ctx: Context, source: str) -> SourceSpent:
    """Gives what a data source, by name or file, has given away.

    Raises:
        RecordDamaged: the ledger was changed.
        IdentifierInvalid: neither a file nor a name.
    """
    if ctx.home is None:
        raise WorkspaceError("there is no folder for the ledger of privacy losses")
    return _spent(ctx, ledger_name(ctx.home, source))


def privacy_list(ctx: Context) -> SourcesSpent:
    """Gives what every data source has given away.

    Raises:
        RecordDamaged: a ledger was changed.
    """
    names = () if ctx.home is None else sources_with_charges(ctx.home)
    return SourcesSpent(tuple(_spent(ctx, name) for name in names))


def _spent(ctx: Context, name: str) -> SourceSpent:
    budget = budget_of(ctx)
    charges = () if ctx.home is None else read_charges(ctx.home, name)
    epsilon = epsilon_spent(charges, budget.delta)
    return SourceSpent(name, epsilon, budget.delta, budget.max_epsilon, charges)
