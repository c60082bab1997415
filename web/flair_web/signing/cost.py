"""What a transaction costs: the fee, and the rent of the accounts that it makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flair_client.chain.accounts import (
    AttestationAccount,
    BranchAccount,
    ContributionAccount,
    InviteAccount,
    JoinRequestAccount,
    PolicyAccount,
    RepoAccount,
    RoleAccount,
    RoundAccount,
    UpdateAccount,
    account_size,
)
from flair_client.chain.instructions import Instruction, account_flags
from flair_client.chain.rpc import Rpc
from flair_client.ids import Address

# Accounts that an instruction may make, by its name and theirs.
_MADE: Final[Mapping[str, Mapping[str, type[Any]]]] = {
    "repo_create": {"repo": RepoAccount},
    "policy_create": {"policy": PolicyAccount},
    "branch_create": {"branch": BranchAccount},
    "role_grant": {"new_role": RoleAccount},
    "invite_create": {"invite": InviteAccount},
    "invite_redeem": {"new_role": RoleAccount},
    "join_request": {"request": JoinRequestAccount},
    "round_open": {"round": RoundAccount},
    "update_push": {"update": UpdateAccount, "contribution": ContributionAccount},
    "merge_attest": {"attestation": AttestationAccount},
}


@dataclass(frozen=True, slots=True)
class Rent:
    """What an account holds as long as it exists.

    Attributes:
        account: its name in the instruction.
        back: when it is paid back; empty where it never is.
    """

    account: str
    address: Address
    lamports: int
    back: str


def rents(
    rpc: Rpc,
    instructions: Sequence[Instruction],
    back: Mapping[str, str],
    deposit_lamports: int = 0,
) -> tuple[Rent, ...]:
    """Gives the rent of accounts that are not there yet, and the deposit.

    Args:
        rpc: says what is there, and how much rent is.
        instructions: of the transaction.
        back: when an account's rent comes back, by its name.
        deposit_lamports: that an update holds beside its rent.
    """
    made = [
        (name, meta.address, _MADE[one.name][name])
        for one in instructions
        if one.name in _MADE
        for (name, _), meta in zip(account_flags(one.name), one.accounts, strict=False)
        if name in _MADE[one.name]
    ]
    there = rpc.get_multiple_accounts([address for _, address, _ in made])
    found = [
        Rent(
            name,
            address,
            rpc.get_minimum_balance_for_rent_exemption(account_size(kind)),
            back.get(name, ""),
        )
        for (name, address, kind), account in zip(made, there, strict=True)
        if account is None
    ]
    if deposit_lamports:
        (update,) = (address for name, address, _ in made if name == "update")
        found.append(Rent("deposit", update, deposit_lamports, back["update"]))
    return tuple(found)
