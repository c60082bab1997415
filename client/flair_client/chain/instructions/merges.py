"""Builders for merges of a round."""

from collections.abc import Sequence

from flair_client.chain.arguments import (
    MergeApproveArgs,
    MergeAttestArgs,
    MergeFinalizeArgs,
    MergeProposeArgs,
    NoArgs,
)
from flair_client.chain.instructions.base import Instruction, build
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_attestation_pda,
    find_candidate_pda,
    find_round_pda,
    find_update_pda,
)
from flair_client.ids import Address, CommitId, Digest


def merge_accumulate(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    contributors: Sequence[Address],
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Adds updates to the round's sums.

    Args:
        actor: anyone.
        repo: the repository.
        branch: its branch.
        round_index: the live round.
        contributors: whose updates, by weight descending, then contributor ascending.
        program_id: the program to call.
    """
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "merge_accumulate",
        NoArgs(),
        {"actor": actor, "repo": repo, "branch": branch, "round": round_address},
        program_id,
        [
            find_update_pda(round_address, contributor, program_id)[0]
            for contributor in contributors
        ],
    )


def merge_propose(
    *,
    payer: Address,
    proposer: Address,
    repo: Address,
    branch: Address,
    policy: Address,
    round_index: int,
    commit_id: CommitId,
    expected_head: CommitId,
    expected_seq: int,
    role: Address | None = None,
    proposer_update: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Proposes a merge commit for a closed round.

    `proposer_update` is the address of the proposer's own update of this round, for a
    contributor who proposes after the deadline without a role.
    """
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "merge_propose",
        MergeProposeArgs(commit_id, expected_head, expected_seq),
        {
            "payer": payer,
            "proposer": proposer,
            "role": role,
            "proposer_update": proposer_update,
            "repo": repo,
            "branch": branch,
            "policy": policy,
            "round": round_address,
            "candidate": find_candidate_pda(round_address, commit_id, program_id)[0],
        },
        program_id,
    )


def merge_approve(
    *,
    authority: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    commit_id: CommitId,
    update_root: Digest,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Approves a proposed merge; `update_root` is the round's, as it was seen."""
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "merge_approve",
        MergeApproveArgs(update_root),
        {
            "authority": authority,
            "repo": repo,
            "branch": branch,
            "round": round_address,
            "candidate": find_candidate_pda(round_address, commit_id, program_id)[0],
        },
        program_id,
    )


def merge_attest(
    *,
    payer: Address,
    attester: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    commit_id: CommitId,
    update_root: Digest,
    authority_epoch: int,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Attests a merge that was made again; `update_root` is the round's, as seen.

    `authority_epoch` is the repository's.
    """
    round_address = find_round_pda(branch, round_index, program_id)[0]
    candidate = find_candidate_pda(round_address, commit_id, program_id)[0]
    made = find_attestation_pda(candidate, authority_epoch, attester, program_id)[0]
    return build(
        "merge_attest",
        MergeAttestArgs(update_root),
        {
            "payer": payer,
            "attester": attester,
            "role": role,
            "repo": repo,
            "branch": branch,
            "round": round_address,
            "candidate": candidate,
            "attestation": made,
        },
        program_id,
    )


def attestation_expire(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    commit_id: CommitId,
    attester: Address,
    authority_epoch: int,
    rent_payer: Address,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Closes an attestation whose round is over.

    `authority_epoch` is the repository's when it was made.
    """
    round_address = find_round_pda(branch, round_index, program_id)[0]
    candidate = find_candidate_pda(round_address, commit_id, program_id)[0]
    made = find_attestation_pda(candidate, authority_epoch, attester, program_id)[0]
    return build(
        "attestation_expire",
        NoArgs(),
        {
            "actor": actor,
            "repo": repo,
            "branch": branch,
            "attestation": made,
            "rent_payer": rent_payer,
        },
        program_id,
    )


def merge_finalize(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    policy: Address,
    round_index: int,
    commit_id: CommitId,
    candidate_payer: Address,
    expected_head: CommitId,
    expected_seq: int,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Moves the head to a proposed merge commit and ends the round."""
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "merge_finalize",
        MergeFinalizeArgs(expected_head, expected_seq),
        {
            "actor": actor,
            "repo": repo,
            "branch": branch,
            "policy": policy,
            "round": round_address,
            "candidate": find_candidate_pda(round_address, commit_id, program_id)[0],
            "candidate_payer": candidate_payer,
        },
        program_id,
    )


def merge_expire(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    commit_id: CommitId,
    candidate_payer: Address,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Closes a proposed merge whose round is over."""
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "merge_expire",
        NoArgs(),
        {
            "actor": actor,
            "repo": repo,
            "branch": branch,
            "candidate": find_candidate_pda(round_address, commit_id, program_id)[0],
            "candidate_payer": candidate_payer,
        },
        program_id,
    )
