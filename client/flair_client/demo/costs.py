"""What a repository cost on chain: read from the transactions, nobody's own account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import base58

from flair_client.chain.client import ChainClient
from flair_client.chain.instructions import ACCOUNTS, instruction_discriminator
from flair_client.ids import Address

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Costs:
    """Sums over the transactions of a repository.

    Attributes:
        compute_units: instruction → (transactions, most compute units of one).
        fee_lamports: of all of them, also of those that failed.
        rent_lamports: locked in the program's accounts now.
    """

    compute_units: Mapping[str, tuple[int, int]]
    fee_lamports: int
    rent_lamports: int


def chain_costs(chain: ChainClient, repo: Address) -> Costs:
    """Reads the costs of a repository from the cluster.

    Raises:
        ChainError: the RPC gives no usable answers.
    """
    names = {instruction_discriminator(name): name for name in ACCOUNTS}
    units: dict[str, tuple[int, int]] = {}
    fees = 0
    before: str | None = None
    while True:
        page = chain.rpc.get_signatures_for_address(repo, before=before, limit=_PAGE)
        for entry in page:
            found = chain.rpc.get_transaction(entry.signature)
            if found is None:
                continue
            fees += int(found["meta"]["fee"])
            name = _instruction_name(found, names, str(chain.program_id))
            if name is not None and entry.err is None:
                n, most = units.get(name, (0, 0))
                used = int(found["meta"].get("computeUnitsConsumed") or 0)
                units[name] = (n + 1, max(most, used))
        if len(page) < _PAGE:
            break
        before = page[-1].signature
    rent = sum(
        account.lamports for account in chain.rpc.get_program_accounts(chain.program_id)
    )
    return Costs(units, fees, rent)


def _instruction_name(
    found: Mapping[str, Any], names: Mapping[bytes, str], program: str
) -> str | None:
    """The program's last instruction in a transaction: what the transaction was for."""
    message = found["transaction"]["message"]
    keys = message["accountKeys"]
    for one in reversed(message["instructions"]):
        if keys[one["programIdIndex"]] == program:
            return names.get(base58.b58decode(one["data"])[:8])
    return None
