"""Builders for settings, repositories, policies, branches and roles."""

from collections.abc import Sequence
from typing import Final

from flair_client.chain.accounts import PauseBits, PolicyParams, Scope
from flair_client.chain.arguments import (
    BranchAdvanceArgs,
    BranchCreateArgs,
    BranchMergeArgs,
    BranchSetPolicyArgs,
    ConfigCreateArgs,
    ConfigSetArgs,
    NoArgs,
    RepoCreateArgs,
    RoleGrantArgs,
)
from flair_client.chain.instructions.base import Instruction, build
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_branch_pda,
    find_policy_pda,
    find_program_data_pda,
    find_repo_pda,
    find_role_pda,
)
from flair_client.ids import DIGEST_SIZE, Address, CommitId, Digest

# Models besides the head that one commit may merge, and the bytes of their ids.
MAX_MERGED: Final = 16
MERGED_SIZE: Final = MAX_MERGED * DIGEST_SIZE


def config_create(
    *,
    admin: Address,
    treasury: Address,
    genesis_tag: Digest,
    fee_bps: int = 0,
    pause_bits: int = 0,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Makes the Config; `admin` is the program's upgrade authority."""
    return build(
        "config_create",
        ConfigCreateArgs(treasury, fee_bps, PauseBits(pause_bits), genesis_tag),
        {"admin": admin, "program_data": find_program_data_pda(program_id)[0]},
        program_id,
    )


def config_set(
    *,
    admin: Address,
    treasury: Address,
    fee_bps: int,
    pause_bits: int,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Changes the Config."""
    args = ConfigSetArgs(treasury, fee_bps, PauseBits(pause_bits))
    return build("config_set", args, {"admin": admin}, program_id)


def repo_create(
    *,
    payer: Address,
    creator: Address,
    name: str,
    points_per_merge: int,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Makes a repository whose first authority is the creator."""
    return build(
        "repo_create",
        RepoCreateArgs(name, points_per_merge),
        {
            "payer": payer,
            "creator": creator,
            "repo": find_repo_pda(creator, name, program_id)[0],
        },
        program_id,
    )


def policy_create(
    *,
    payer: Address,
    actor: Address,
    repo: Address,
    index: int,
    params: PolicyParams,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Makes policy number `index`, which must be the repository's `policy_count`."""
    return build(
        "policy_create",
        params,
        {
            "payer": payer,
            "actor": actor,
            "role": role,
            "repo": repo,
            "policy": find_policy_pda(repo, index, program_id)[0],
        },
        program_id,
    )


def branch_create(
    *,
    payer: Address,
    actor: Address,
    repo: Address,
    name: str,
    policy_index: int,
    protected: bool = False,
    first_round: int = 1,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Makes a branch without a head."""
    return build(
        "branch_create",
        BranchCreateArgs(name, policy_index, int(protected), first_round),
        {
            "payer": payer,
            "actor": actor,
            "role": role,
            "repo": repo,
            "policy": find_policy_pda(repo, policy_index, program_id)[0],
            "branch": find_branch_pda(repo, name, program_id)[0],
        },
        program_id,
    )


def branch_set_policy(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    policy_index: int,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Names the policy of a branch's next round."""
    return build(
        "branch_set_policy",
        BranchSetPolicyArgs(policy_index),
        {
            "actor": actor,
            "role": role,
            "repo": repo,
            "branch": branch,
            "policy": find_policy_pda(repo, policy_index, program_id)[0],
        },
        program_id,
    )


def branch_advance(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    kind: int,
    expected_head: CommitId,
    expected_seq: int,
    new_head: CommitId,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Moves a head by compare and swap; `kind` is a `MoveKind`."""
    return build(
        "branch_advance",
        BranchAdvanceArgs(int(kind), expected_head, expected_seq, new_head),
        {"actor": actor, "role": role, "repo": repo, "branch": branch},
        program_id,
    )


def branch_merge(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    expected_head: CommitId,
    expected_seq: int,
    new_head: CommitId,
    merged: Sequence[CommitId],
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Moves a head to a merge of models by compare and swap.

    `merged` are the merge's parents behind the head, 1 to 16, ascending.

    Raises:
        ValueError: there are more.
    """
    packed = b"".join(commit.raw for commit in merged)
    if len(merged) > MAX_MERGED:
        raise ValueError(f"{len(merged)} commits are merged, {MAX_MERGED} fit")
    return build(
        "branch_merge",
        BranchMergeArgs(
            expected_head, expected_seq, new_head, packed.ljust(MERGED_SIZE, b"\0")
        ),
        {"actor": actor, "role": role, "repo": repo, "branch": branch},
        program_id,
    )


def role_grant(
    *,
    payer: Address,
    actor: Address,
    repo: Address,
    grantee: Address,
    scope: int,
    expires_at: int = 0,
    branch: Address | None = None,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Gives a role for a branch, or for the whole repository (`branch` None)."""
    return build(
        "role_grant",
        RoleGrantArgs(grantee, Scope(scope), expires_at),
        {
            "payer": payer,
            "actor": actor,
            "role": role,
            "repo": repo,
            "branch": branch,
            "new_role": find_role_pda(repo, branch, grantee, program_id)[0],
        },
        program_id,
    )


def role_revoke(
    *,
    actor: Address,
    repo: Address,
    grantee: Address,
    rent_payer: Address,
    branch: Address | None = None,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Takes a role back; its rent goes to whoever paid it."""
    return build(
        "role_revoke",
        NoArgs(),
        {
            "actor": actor,
            "role": role,
            "repo": repo,
            "old_role": find_role_pda(repo, branch, grantee, program_id)[0],
            "rent_payer": rent_payer,
        },
        program_id,
    )
