"""Which address an account must have by its contents; one line per kind of account."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from flair_client.chain.accounts import (
    AttestationAccount,
    BranchAccount,
    ConfigAccount,
    ContributionAccount,
    DelegationAccount,
    InviteAccount,
    JoinRequestAccount,
    MergeCandidateAccount,
    PolicyAccount,
    RepoAccount,
    RoleAccount,
    RoundAccount,
    UpdateAccount,
)
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_attestation_pda,
    find_branch_pda,
    find_candidate_pda,
    find_config_pda,
    find_contribution_pda,
    find_delegation_pda,
    find_invite_pda,
    find_join_request_pda,
    find_policy_pda,
    find_repo_pda,
    find_role_pda,
    find_round_pda,
    find_update_pda,
)
from flair_client.ids import Address

# An account and the program's id → address and bump.
_Find: TypeAlias = Callable[[Any, Address], tuple[Address, int]]

_FIND: Final[Mapping[type[Any], _Find]] = {
    ConfigAccount: lambda _, program: find_config_pda(program),
    RepoAccount: lambda of, program: find_repo_pda(of.creator, of.name, program),
    PolicyAccount: lambda of, program: find_policy_pda(of.repo, of.index, program),
    BranchAccount: lambda of, program: find_branch_pda(of.repo, of.name, program),
    RoleAccount: lambda of, program: find_role_pda(
        of.repo, of.branch, of.grantee, program
    ),
    InviteAccount: lambda of, program: find_invite_pda(of.repo, of.key, program),
    JoinRequestAccount: lambda of, program: find_join_request_pda(
        of.repo, of.applicant, program
    ),
    DelegationAccount: lambda of, program: find_delegation_pda(
        of.repo, of.wallet, of.key, program
    ),
    RoundAccount: lambda of, program: find_round_pda(
        of.branch, of.round_index, program
    ),
    UpdateAccount: lambda of, program: find_update_pda(
        of.round, of.contributor, program
    ),
    MergeCandidateAccount: lambda of, program: find_candidate_pda(
        of.round, of.commit_id, program
    ),
    AttestationAccount: lambda of, program: find_attestation_pda(
        of.candidate, of.authority_epoch, of.attester, program
    ),
    ContributionAccount: lambda of, program: find_contribution_pda(
        of.repo, of.contributor, program
    ),
}


def own_address(account: Any, program_id: Address = PROGRAM_ID) -> Address:
    """Gives the address that follows from an account's contents."""
    find = _FIND.get(type(account))
    if find is None:
        raise TypeError(f"{type(account).__name__} is no account")
    return find(account, program_id)[0]
