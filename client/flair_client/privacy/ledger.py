"""What each data source has given away, over all repositories, on this machine.

`privacy/SOURCE.jsonl` in the user's folder, append-only (see `chained_file`), a line
for each update that left. The line is written before the update's first byte leaves: a
kill between the two spends and sends nothing, never the other way round.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flair_client.chained_file import ChainedLine, append_line, locked, read_lines
from flair_client.errors import (
    BudgetSpent,
    IdentifierInvalid,
    ObjectInvalid,
    RecordDamaged,
)
from flair_client.ids import CommitId
from flair_client.names import check_name
from flair_client.privacy.accountant import Mechanism, epsilon_of
from flair_client.training.noisy_steps import NoisySteps

LEDGER_FOLDER: Final = "privacy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An update that gave something away.

    Attributes:
        commit: the update.
        repo: address of the repository that it went to.
        noise_multiplier: deviation of its noise by its clipping norm; None where it
            was trained by steps with noise instead.
        epsilon, delta: as the commit states them.
        time: seconds since 1970 by this machine's clock.
        noisy_steps: those steps.
    """

    commit: CommitId
    repo: str
    branch: str
    round_index: int
    noise_multiplier: float | None
    epsilon: float
    delta: float
    time: int
    noisy_steps: NoisySteps | None = None

    @property
    def mechanism(self) -> Mechanism:
        """What gave something away."""
        if self.noisy_steps is not None:
            return self.noisy_steps
        if self.noise_multiplier is None:
            raise ValueError("an update with noise has one mechanism")
        return self.noise_multiplier


def ledger_path(home: Path, source: str) -> Path:
    """Gives the ledger's file of a data source.

    Raises:
        IdentifierInvalid: the name cannot be a source's.
    """
    check_name("name of a data source", source)
    return home / LEDGER_FOLDER / f"{source}.jsonl"


def read_charges(home: Path, source: str) -> tuple[Charge, ...]:
    """Gives what a data source has given away so far.

    Raises:
        RecordDamaged: the ledger was changed; names the line.
    """
    return _charges(ledger_path(home, source))


def sources_with_charges(home: Path) -> tuple[str, ...]:
    """Names of the data sources that have a ledger."""
    folder = home / LEDGER_FOLDER
    return tuple(sorted(path.stem for path in folder.glob("*.jsonl")))


def epsilon_spent(charges: tuple[Charge, ...], delta: float) -> float:
    """Privacy loss of all updates together."""
    return epsilon_of([charge.mechanism for charge in charges], delta)


def check_budget(
    home: Path,
    source: str,
    mechanism: Mechanism,
    *,
    max_epsilon: float,
    delta: float,
) -> None:
    """Refuses an update that the budget has no room for; writes nothing.

    Raises:
        BudgetSpent: the loss of all updates together would be above the limit.
        RecordDamaged: the ledger was changed.
    """
    charges = read_charges(home, source)
    _check(source, charges, mechanism, max_epsilon, delta)


def charge_source(
    home: Path, source: str, charge: Charge, *, max_epsilon: float, delta: float
) -> bool:
    """Writes an update into the ledger before it leaves.

    One that is there already is not written, nor refused, a second time.

    Returns:
        Whether it was written now.

    Raises:
        BudgetSpent: the loss of all updates together would be above the limit.
        RecordDamaged: the ledger was changed.
        OSError: it could not be written.
    """
    path = ledger_path(home, source)
    with locked(path):
        charges = _charges(path)
        if any(one.commit == charge.commit for one in charges):
            return False
        _check(source, charges, charge.mechanism, max_epsilon, delta)
        append_line(path, _fields(charge))
    return True


def _check(
    source: str,
    charges: tuple[Charge, ...],
    mechanism: Mechanism,
    max_epsilon: float,
    delta: float,
) -> None:
    before = [charge.mechanism for charge in charges]
    wanted = epsilon_of([*before, mechanism], delta)
    if wanted > max_epsilon:
        raise BudgetSpent(source, epsilon_of(before, delta), wanted, max_epsilon)


def _fields(charge: Charge) -> dict[str, Any]:
    steps = charge.noisy_steps
    noise = (
        {"noise_multiplier": charge.noise_multiplier}
        if steps is None
        else {"noisy_steps": steps.save()}
    )
    return {
        "commit": str(charge.commit),
        "repo": charge.repo,
        "branch": charge.branch,
        "round_index": charge.round_index,
        **noise,
        "epsilon": charge.epsilon,
        "delta": charge.delta,
        "time": charge.time,
    }


def _charges(path: Path) -> tuple[Charge, ...]:
    return tuple(_parse(path, line) for line in read_lines(path) if not line.is_torn)


def _parse(path: Path, line: ChainedLine) -> Charge:
    fields = line.fields
    try:
        steps = NoisySteps.load(fields.get("noisy_steps"))
        charge = Charge(
            commit=CommitId.parse(fields["commit"]),
            repo=str(fields["repo"]),
            branch=str(fields["branch"]),
            round_index=int(fields["round_index"]),
            noise_multiplier=None if steps else _multiplier(fields),
            noisy_steps=steps,
            epsilon=float(fields["epsilon"]),
            delta=float(fields["delta"]),
            time=int(fields["time"]),
        )
    except (KeyError, TypeError, ValueError, IdentifierInvalid, ObjectInvalid) as exc:
        raise RecordDamaged(path, line.seq, "is no update") from exc
    return charge


def _multiplier(fields: Mapping[str, Any]) -> float:
    multiplier = float(fields["noise_multiplier"])
    if not multiplier > 0:
        raise ValueError("is no noise")
    return multiplier
