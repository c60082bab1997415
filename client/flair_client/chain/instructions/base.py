"""What every builder shares: the table of accounts and how an instruction is built.

The order of accounts mirrors docs/protocol.md, section 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flair_client.chain.layout import discriminator, encode
from flair_client.chain.pdas import (
    SYSTEM_PROGRAM_ID,
    find_config_pda,
    find_event_authority_pda,
)
from flair_client.ids import Address

# name, then flags: w writable, s signer, ? optional. As in docs/protocol.md.
_ROUND_END = "update w, rent_payer w, round_payer w"
ACCOUNTS: Final[Mapping[str, str]] = {
    "config_create": "admin ws, config w, program_data, system",
    "config_set": "admin s, config w",
    "repo_create": "payer ws, creator s, config, repo w, system",
    "policy_create": "payer ws, actor s, role ?, config, repo w, policy w, system",
    "branch_create": (
        "payer ws, actor s, role ?, config, repo w, policy, branch w, system"
    ),
    "branch_set_policy": "actor s, role ?, config, repo w, branch w, policy",
    "branch_advance": "actor s, role ?, config, repo w, branch w",
    "branch_merge": "actor s, role ?, config, repo w, branch w",
    "role_grant": (
        "payer ws, actor s, role ?, config, repo w, branch ?, new_role w, system"
    ),
    "role_revoke": "actor s, role ?, repo w, old_role w, rent_payer w",
    "invite_create": (
        "payer ws, actor s, role ?, config, repo w, branch ?, invite w, system"
    ),
    "invite_redeem": (
        "payer ws, grantee s, invite_key s, config, repo w, invite w, invite_payer w, "
        "new_role w, system"
    ),
    "invite_revoke": "actor s, role ?, repo w, invite w, rent_payer w",
    "join_request": (
        "payer ws, applicant s, config, repo w, branch ?, request w, system"
    ),
    "join_close": "actor s, role ?, repo w, request w, rent_payer w",
    "delegation_create": "payer ws, wallet s, config, repo w, delegation w, system",
    "delegation_revoke": "actor s, repo w, delegation w, rent_payer w",
    "repo_set_sponsor": "authority s, repo w",
    "authority_offer": "authority s, repo w",
    "authority_accept": "new_authority s, repo w",
    "round_open": "payer ws, config, repo w, branch w, policy, round w, system",
    "round_close": "actor s, repo w, branch, policy, round w",
    "round_abort": "actor s, repo w, branch w, policy, round w, round_payer w",
    "update_push": (
        "payer ws, signer s, contributor, delegation ?, role ?, config, repo w, "
        "branch, policy, round w, update w, contribution w, system"
    ),
    "update_withdraw": "actor s, repo w, branch, round w, update w, rent_payer w",
    "update_reject": "authority s, repo w, branch, round w, update w",
    "update_expire": f"actor s, repo w, branch, round w, {_ROUND_END}",
    "update_settle": (
        "actor s, repo w, round w, update w, contribution w, rent_payer w, "
        "round_payer w"
    ),
    "merge_accumulate": "actor s, config, repo w, branch, round w",
    "merge_propose": (
        "payer ws, proposer s, role ?, proposer_update ?, config, repo w, branch, "
        "policy, round, candidate w, system"
    ),
    "merge_approve": "authority s, config, repo w, branch, round, candidate w",
    "merge_attest": (
        "payer ws, attester s, role ?, config, repo w, branch, round, candidate w, "
        "attestation w, system"
    ),
    "attestation_expire": "actor s, repo w, branch, attestation w, rent_payer w",
    "merge_finalize": (
        "actor s, config, repo w, branch w, policy, round w, candidate w, "
        "candidate_payer w"
    ),
    "merge_expire": "actor s, repo w, branch, candidate w, candidate_payer w",
}


@dataclass(frozen=True, slots=True)
class AccountMeta:
    """An account that an instruction touches."""

    address: Address
    is_signer: bool
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """A call of a program, unsigned."""

    program_id: Address
    accounts: tuple[AccountMeta, ...]
    data: bytes
    name: str


def account_flags(name: str) -> list[tuple[str, str]]:
    """Lists an instruction's accounts as (name, flags), in order."""
    pairs = (part.partition(" ") for part in ACCOUNTS[name].split(", "))
    return [(account, flags) for account, _, flags in pairs]


def instruction_discriminator(name: str) -> bytes:
    """Gives the 8 bytes that an instruction's data begins with."""
    return discriminator("global", name)


def build(
    name: str,
    args: Any,
    addresses: Mapping[str, Address | None],
    program_id: Address,
    more: Sequence[Address] = (),
) -> Instruction:
    """Puts an instruction together from its table row.

    Args:
        name: as in the table.
        args: a structure of `chain.arguments`.
        addresses: by account name; None stands for an optional account left out.
        program_id: the program to call.
        more: accounts behind the table's, each writable.
    """
    known: dict[str, Address | None] = {"system": SYSTEM_PROGRAM_ID, **addresses}
    metas = []
    for account, flags in account_flags(name):
        # `config` follows from the program alone.
        if account == "config" and account not in known:
            known[account] = find_config_pda(program_id)[0]
        address = known[account]
        if address is None:
            metas.append(AccountMeta(program_id, is_signer=False, is_writable=False))
        else:
            metas.append(AccountMeta(address, "s" in flags, "w" in flags))
    event_authority = find_event_authority_pda(program_id)[0]
    metas += [
        AccountMeta(address, is_signer=False, is_writable=False)
        for address in (event_authority, program_id)
    ]
    metas += [
        AccountMeta(address, is_signer=False, is_writable=True) for address in more
    ]
    return Instruction(
        program_id, tuple(metas), instruction_discriminator(name) + encode(args), name
    )
