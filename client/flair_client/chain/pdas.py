"""Where the program's accounts live: addresses derived from seeds.

Mirrors the seeds of the program (docs/protocol.md, section 1); reads nothing.
"""

import hashlib
from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

from flair_client.ids import ZERO_ADDRESS, Address, CommitId

PROGRAM_ID: Final = Address.parse("FLRK2f6aX5SoVuziobDG3LMD6TKc3nuVxECVhM5x2CBT")
SYSTEM_PROGRAM_ID: Final = ZERO_ADDRESS
NATIVE_LOADER_ID: Final = Address.parse("NativeLoader1111111111111111111111111111111")
# The sysvar that holds the cluster's time.
CLOCK_ID: Final = Address.parse("SysvarC1ock11111111111111111111111111111111")
RENT_ID: Final = Address.parse("SysvarRent111111111111111111111111111111111")
UPGRADEABLE_LOADER_ID: Final = Address.parse(
    "BPFLoaderUpgradeab1e11111111111111111111111"
)
_CACHE_SIZE: Final = 4096


@lru_cache(maxsize=_CACHE_SIZE)
def _find(program_id: Address, *seeds: bytes) -> tuple[Address, int]:
    address, bump = Pubkey.find_program_address(
        list(seeds), Pubkey.from_bytes(program_id.raw)
    )
    return Address(bytes(address)), bump


def find_config_pda(program_id: Address = PROGRAM_ID) -> tuple[Address, int]:
    """Gives the address and bump of the program's Config."""
    return _find(program_id, b"config")


def find_repo_pda(
    creator: Address, name: str, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of a repository; the creator never changes."""
    name_digest = hashlib.sha256(name.encode()).digest()
    return _find(program_id, b"repo", creator.raw, name_digest)


def find_policy_pda(
    repo: Address, index: int, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of a repository's policy number `index`."""
    return _find(program_id, b"policy", repo.raw, index.to_bytes(4, "little"))


def find_branch_pda(
    repo: Address, name: str, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of a repository's branch."""
    name_digest = hashlib.sha256(name.encode()).digest()
    return _find(program_id, b"branch", repo.raw, name_digest)


def find_role_pda(
    repo: Address,
    branch: Address | None,
    grantee: Address,
    program_id: Address = PROGRAM_ID,
) -> tuple[Address, int]:
    """Gives the address and bump of a role; `branch` None is the whole repository."""
    scope = ZERO_ADDRESS if branch is None else branch
    return _find(program_id, b"role", repo.raw, scope.raw, grantee.raw)


def find_invite_pda(
    repo: Address, invite_key: Address, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of an invite, by its public key."""
    return _find(program_id, b"invite", repo.raw, invite_key.raw)


def find_join_request_pda(
    repo: Address, applicant: Address, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of a wallet's request to join."""
    return _find(program_id, b"join", repo.raw, applicant.raw)


def find_delegation_pda(
    repo: Address,
    wallet: Address,
    machine_key: Address,
    program_id: Address = PROGRAM_ID,
) -> tuple[Address, int]:
    """Gives the address and bump of what lets a machine's key push for a wallet."""
    return _find(program_id, b"delegate", repo.raw, wallet.raw, machine_key.raw)


def find_round_pda(
    branch: Address, round_index: int, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of a branch's round."""
    return _find(program_id, b"round", branch.raw, round_index.to_bytes(8, "little"))


def find_update_pda(
    round_address: Address, contributor: Address, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of a contributor's update of a round."""
    return _find(program_id, b"update", round_address.raw, contributor.raw)


def find_candidate_pda(
    round_address: Address, commit_id: CommitId, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of a proposed merge of a round."""
    return _find(program_id, b"merge", round_address.raw, commit_id.raw)


def find_attestation_pda(
    candidate: Address,
    authority_epoch: int,
    attester: Address,
    program_id: Address = PROGRAM_ID,
) -> tuple[Address, int]:
    """Gives the address and bump of somebody's attestation of a proposed merge."""
    epoch = authority_epoch.to_bytes(4, "little")
    return _find(program_id, b"attest", candidate.raw, epoch, attester.raw)


def find_contribution_pda(
    repo: Address, contributor: Address, program_id: Address = PROGRAM_ID
) -> tuple[Address, int]:
    """Gives the address and bump of what a contributor earned in a repository."""
    return _find(program_id, b"contrib", repo.raw, contributor.raw)


def find_event_authority_pda(program_id: Address = PROGRAM_ID) -> tuple[Address, int]:
    """Gives the address and bump of the account that signs the program's events."""
    return _find(program_id, b"__event_authority")


def find_program_data_pda(program_id: Address = PROGRAM_ID) -> tuple[Address, int]:
    """Gives the address and bump of the loader's account with code and authority."""
    return _find(UPGRADEABLE_LOADER_ID, program_id.raw)
