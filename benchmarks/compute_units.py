"""Compute units, transaction bytes and rent of every instruction, against its budget.

Run: `.venv/bin/python benchmarks/compute_units.py [--json] [--samples N]`. Each sample
is another repository, so that addresses and bumps differ. Exit code 1 when a budget is
broken.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "programs"))

from program_harness.acts import config_create  # noqa: E402 - found by the line above
from program_harness.call import Call, wallet  # noqa: E402
from program_harness.calls import CALLS  # noqa: E402
from program_harness.chain import Chain  # noqa: E402
from program_harness.protocol import INSTRUCTIONS, PROGRAM_ID  # noqa: E402
from program_harness.values import CONTRIBUTE, ordered  # noqa: E402
from program_harness.world import Place, make_place  # noqa: E402
from solders.rent import Rent  # noqa: E402

# Units that an instruction may take. The others have no limit.
BUDGETS: Final = {
    "policy_create": 15_000,
    "update_push": 15_000,
    "branch_advance": 12_000,
    "branch_merge": 12_000,
    "merge_propose": 20_000,
    "merge_finalize": 20_000,
    "update_settle": 10_000,
    "invite_create": 15_000,
    "invite_redeem": 15_000,
    "invite_revoke": 15_000,
    "join_request": 15_000,
    "join_close": 15_000,
    "delegation_create": 15_000,
    "delegation_revoke": 15_000,
    "repo_set_sponsor": 15_000,
    "authority_offer": 15_000,
    "authority_accept": 15_000,
    "merge_approve": 15_000,
    "merge_attest": 20_000,
    "attestation_expire": 10_000,
}
CONTRIBUTE_INVITED: Final = 1
ACCUMULATE_BASE: Final = 5_000
ACCUMULATE_EACH: Final = 3_000
MAX_TRANSACTION: Final = 1_232
BATCHES: Final = (1, 2, 8, 20)


@dataclass(frozen=True, slots=True)
class Row:
    """What one instruction costs.

    Attributes:
        units_max: the most of all samples.
        units_median: of all samples.
        transaction_bytes: with fee payer, rent payer and actor all different.
        rent_lamports: put into new accounts; negative where accounts are closed.
        budget: units that it may take, None where there is no budget.
    """

    units_max: int
    units_median: int
    transaction_bytes: int
    rent_lamports: int
    budget: int | None

    @property
    def is_within(self) -> bool:
        """Whether units and bytes keep their limits."""
        units_fit = self.budget is None or self.units_max <= self.budget
        return units_fit and self.transaction_bytes <= MAX_TRANSACTION


def measure(make: Callable[[Place], Call], samples: int, budget: int | None) -> Row:
    """Runs a call in as many worlds as there are samples."""
    units, sizes, rents = [], [], []
    for number in range(samples):
        place = make_place(
            name=f"model-{number}".encode(),
            branch_name=f"branch-{number}".encode(),
            params={"deposit_lamports": 0},
        )
        place.chain.svm.set_rent(Rent.default())
        call = make(place)
        before = held_lamports(place.chain)
        receipt = place.chain.send(call)
        rents.append(held_lamports(place.chain) - before)
        units.append(receipt.compute_units)
        sizes.append(receipt.size)
    return Row(max(units), int(statistics.median(units)), max(sizes), rents[0], budget)


def held_lamports(chain: Chain) -> int:
    """Gives the lamports in all accounts of the program."""
    accounts = chain.svm.get_program_accounts(PROGRAM_ID)
    return sum(account.lamports for _, account in accounts)


def accumulate(n_updates: int) -> Callable[[Place], Call]:
    """Gives a scene that adds this many updates in one call."""

    def make(place: Place) -> Call:
        place.params.update(max_updates=64)
        names = [f"hospital-{number}" for number in range(max(n_updates, 2))]
        place.closed(names)
        return place.merge_accumulate(ordered(names)[:n_updates])

    return make


def push_delegated(place: Place) -> Call:
    """Gives a scene in which a machine pushes for a wallet that has a role."""
    place.params["contribute"] = CONTRIBUTE_INVITED
    place.opened()
    place.chain.send(place.role_grant("a", CONTRIBUTE, branch=place.branch))
    place.chain.send(place.delegation_create("a", "machine"))
    role = place.find_role(wallet("a").pubkey(), place.branch)
    return place.update_push("a", by="machine").with_accounts(role=role)


def policy_of_multi_krum(place: Place) -> Call:
    """Gives a scene with the strategy whose rules take longest."""
    wanted = {"strategy": 10, "min_updates": 64, "max_updates": 64}
    packed = bytes([30, *bytes(7), 32, *bytes(55)])
    place.created()
    return place.policy_create(**wanted, strategy_params=packed)


def measure_all(samples: int) -> dict[str, Row]:
    """Measures every instruction; `merge_accumulate` also by its number of updates."""
    rows = {}
    for name in INSTRUCTIONS:
        if name == "config_create":
            rows[name] = measure(
                lambda place: config_create(place.chain), samples, None
            )
        elif name == "merge_accumulate":
            for count in BATCHES:
                budget = ACCUMULATE_BASE + ACCUMULATE_EACH * count
                rows[f"{name}[{count}]"] = measure(accumulate(count), samples, budget)
        else:
            rows[name] = measure(CALLS[name], samples, BUDGETS.get(name))
        if name == "policy_create":
            rows[f"{name}[krum]"] = measure(
                policy_of_multi_krum, samples, BUDGETS[name]
            )
        if name == "update_push":
            budget = BUDGETS[name]
            rows[f"{name}[delegated]"] = measure(push_delegated, samples, budget)
    return rows


def print_table(rows: dict[str, Row]) -> None:
    """Prints a row per instruction, with the share of the budget that is used."""
    print(f"{'instruction':22}{'max':>8}{'median':>8}{'budget':>8}{'used':>7}", end="")
    print(f"{'bytes':>7}{'rent':>12}")
    for name, row in rows.items():
        budget = "-" if row.budget is None else f"{row.budget:,}"
        used = "-" if row.budget is None else f"{row.units_max / row.budget:.0%}"
        print(
            f"{name:22}{row.units_max:>8,}{row.units_median:>8,}{budget:>8}{used:>7}"
            f"{row.transaction_bytes:>7,}{row.rent_lamports:>12,}"
            f"{'' if row.is_within else '  BROKEN'}"
        )


def main() -> int:
    """Measures and reports; gives the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--samples", type=int, default=16, help="worlds per row")
    options = parser.parse_args()
    rows = measure_all(options.samples)
    broken = [name for name, row in rows.items() if not row.is_within]
    if options.json:
        instructions = {name: asdict(row) for name, row in rows.items()}
        print(json.dumps({"instructions": instructions, "broken": broken}))
    else:
        print_table(rows)
        print(f"budgets broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
