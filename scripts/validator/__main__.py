"""Runs the line on a validator and on the localnet; prints what differs.

Ends with 0 where all of it verifies, 1 where something does not, 77 where there is no
validator to be found.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.errors import FlairError
from validator import line as lines
from validator import nodes

SKIPPED = 77
_NAME = "Program log: Instruction: "


@dataclass(frozen=True, slots=True)
class Costs:
    """What the program's transactions cost on one chain.

    Attributes:
        compute_units: of each, in order, by the names of their instructions.
        fees_lamports: all fees together.
        rent_lamports: deposited in accounts of the program now.
    """

    compute_units: dict[str, list[int]]
    fees_lamports: int
    rent_lamports: int


def main() -> int:
    """Gives the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/try-validator", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line on stdout")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="leave all files there"
    )
    parser.add_argument("--quiet", action="store_true", help="do not show commands")
    given = parser.parse_args()
    binary = nodes.find_validator()
    if binary is None:
        print(f"skipped: no {nodes.BINARY} on PATH, and {nodes.SETTING} names none")
        return SKIPPED
    with contextlib.ExitStack() as stack:
        if given.keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            given.keep.mkdir(parents=True)
            folder = given.keep.absolute()
        try:
            found = _both(binary, folder, verbose=not given.quiet)
        except (FlairError, lines.LineFailed) as exc:
            print(f"failed: {exc}", file=sys.stderr)
            return 1
    print(json.dumps(found) if given.json else _text(found))
    return 0 if all(one["verified"] for one in found.values()) else 1


def _both(binary: Path, folder: Path, *, verbose: bool) -> dict[str, dict[str, Any]]:
    with nodes.run_validator(binary, folder / "validator") as chain:
        real = lines.Line(chain, folder / "on-validator", verbose=verbose)
        found = {"test-validator": _run(real, None)}
    with nodes.run_localnet(folder / "localnet") as chain:
        ours = lines.Line(chain, folder / "on-localnet", verbose=verbose)
        # The same wallets make the same addresses, which some costs depend on.
        found["localnet"] = _run(ours, real.folder / "home" / "wallets")
    return found


def _run(line: lines.Line, wallets: Path | None) -> dict[str, Any]:
    lines.prepare(line, wallets)
    begun = time.monotonic()
    verified = lines.run(line)
    costs = read_costs(line.chain)
    return {
        "version": line.chain.version,
        "verified": bool(verified["valid"]),
        "commits": sum(len(one["commits"]) for one in verified["branches"]),
        "seconds_to_start": round(line.chain.seconds_to_start, 1),
        "seconds": round(time.monotonic() - begun, 1),
        "seconds_by_command": {
            key: round(value, 2) for key, value in line.seconds.items()
        },
        "compute_units": costs.compute_units,
        "fees_lamports": costs.fees_lamports,
        "rent_lamports": costs.rent_lamports,
    }


def read_costs(chain: nodes.Chain) -> Costs:
    """Reads the program's whole history on a chain."""
    units: dict[str, list[int]] = defaultdict(list)
    fees = 0
    with contextlib.closing(Rpc(chain.url)) as rpc:
        for entry in reversed(rpc.get_signatures_for_address(PROGRAM_ID)):
            tx_json = rpc.get_transaction(entry.signature)
            if entry.err is not None or tx_json is None:
                continue
            meta = tx_json["meta"]
            names = [
                text.removeprefix(_NAME)
                for text in meta["logMessages"]
                if text.startswith(_NAME)
            ]
            units[" + ".join(names)].append(meta["computeUnitsConsumed"])
            fees += meta["fee"]
        held = sum(one.lamports for one in rpc.get_program_accounts(PROGRAM_ID))
    return Costs(dict(units), fees, held)


def _text(found: dict[str, dict[str, Any]]) -> str:
    """A table of both chains."""
    real, ours = found["test-validator"], found["localnet"]
    rows = [("", f"validator {real['version']}", "localnet")]
    rows += [
        (name, str(real[name]), str(ours[name]))
        for name in (
            "verified",
            "commits",
            "seconds_to_start",
            "seconds",
            "fees_lamports",
            "rent_lamports",
        )
    ]
    rows += [
        (
            f"compute units: {name}",
            _units(real["compute_units"].get(name, [])),
            _units(ours["compute_units"].get(name, [])),
        )
        for name in real["compute_units"] | ours["compute_units"]
    ]
    rows += [
        (
            f"seconds: flair {name}",
            str(seconds),
            str(ours["seconds_by_command"].get(name, "")),
        )
        for name, seconds in real["seconds_by_command"].items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(
        f"{first:<{widths[0]}}  {second:>{widths[1]}}  {third:>15}"
        for first, second, third in rows
    )


def _units(values: list[int]) -> str:
    if not values:
        return "-"
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


if __name__ == "__main__":
    sys.exit(main())
