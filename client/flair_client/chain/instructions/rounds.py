"""Builders for rounds and updates."""

from flair_client.chain.arguments import NoArgs, UpdatePushArgs, UpdateRejectArgs
from flair_client.chain.instructions.base import Instruction, build
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_contribution_pda,
    find_delegation_pda,
    find_round_pda,
    find_update_pda,
)
from flair_client.ids import Address, CommitId, Digest

_NO_DIGEST = Digest(bytes(32))


def round_open(
    *,
    payer: Address,
    repo: Address,
    branch: Address,
    policy: Address,
    round_index: int,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Opens the branch's next round, which must be its `round_index`."""
    return build(
        "round_open",
        NoArgs(),
        {
            "payer": payer,
            "repo": repo,
            "branch": branch,
            "policy": policy,
            "round": find_round_pda(branch, round_index, program_id)[0],
        },
        program_id,
    )


def round_close(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    policy: Address,
    round_index: int,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Closes a round for updates."""
    return build(
        "round_close",
        NoArgs(),
        {
            "actor": actor,
            "repo": repo,
            "branch": branch,
            "policy": policy,
            "round": find_round_pda(branch, round_index, program_id)[0],
        },
        program_id,
    )


def round_abort(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    policy: Address,
    round_index: int,
    round_payer: Address,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Ends a round that can no longer be merged."""
    return build(
        "round_abort",
        NoArgs(),
        {
            "actor": actor,
            "repo": repo,
            "branch": branch,
            "policy": policy,
            "round": find_round_pda(branch, round_index, program_id)[0],
            "round_payer": round_payer,
        },
        program_id,
    )


def update_push(
    *,
    payer: Address,
    contributor: Address,
    repo: Address,
    branch: Address,
    policy: Address,
    round_index: int,
    commit_id: CommitId,
    expected_base: CommitId,
    weight: int,
    payload_digest: Digest,
    nonce: bytes,
    statement_digest: Digest = _NO_DIGEST,
    role: Address | None = None,
    signer: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Puts an update into a round; `nonce` is 16 bytes.

    `signer` is a key that the contributor delegated to, else the contributor itself.
    """
    delegation = None
    if signer is not None and signer != contributor:
        delegation = find_delegation_pda(repo, contributor, signer, program_id)[0]
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "update_push",
        UpdatePushArgs(
            commit_id, expected_base, weight, payload_digest, statement_digest, nonce
        ),
        {
            "payer": payer,
            "signer": contributor if signer is None else signer,
            "contributor": contributor,
            "delegation": delegation,
            "role": role,
            "repo": repo,
            "branch": branch,
            "policy": policy,
            "round": round_address,
            "update": find_update_pda(round_address, contributor, program_id)[0],
            "contribution": find_contribution_pda(repo, contributor, program_id)[0],
        },
        program_id,
    )


def update_withdraw(
    *,
    contributor: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    rent_payer: Address,
    actor: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Takes one's own update out of an open round.

    `actor` is the key that pushed it, else the contributor itself.
    """
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "update_withdraw",
        NoArgs(),
        {
            "actor": contributor if actor is None else actor,
            "repo": repo,
            "branch": branch,
            "round": round_address,
            "update": find_update_pda(round_address, contributor, program_id)[0],
            "rent_payer": rent_payer,
        },
        program_id,
    )


def update_reject(
    *,
    authority: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    contributor: Address,
    reason: int,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Strikes an update from a round; `reason` is a code above zero."""
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "update_reject",
        UpdateRejectArgs(reason),
        {
            "authority": authority,
            "repo": repo,
            "branch": branch,
            "round": round_address,
            "update": find_update_pda(round_address, contributor, program_id)[0],
        },
        program_id,
    )


def update_expire(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    contributor: Address,
    rent_payer: Address,
    round_payer: Address,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Closes an update of a round that ended without a merge."""
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "update_expire",
        NoArgs(),
        {
            "actor": actor,
            "repo": repo,
            "branch": branch,
            "round": round_address,
            "update": find_update_pda(round_address, contributor, program_id)[0],
            "rent_payer": rent_payer,
            "round_payer": round_payer,
        },
        program_id,
    )


def update_settle(
    *,
    actor: Address,
    repo: Address,
    branch: Address,
    round_index: int,
    contributor: Address,
    rent_payer: Address,
    round_payer: Address,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Credits and closes an update of a merged round."""
    round_address = find_round_pda(branch, round_index, program_id)[0]
    return build(
        "update_settle",
        NoArgs(),
        {
            "actor": actor,
            "repo": repo,
            "round": round_address,
            "update": find_update_pda(round_address, contributor, program_id)[0],
            "contribution": find_contribution_pda(repo, contributor, program_id)[0],
            "rent_payer": rent_payer,
            "round_payer": round_payer,
        },
        program_id,
    )
