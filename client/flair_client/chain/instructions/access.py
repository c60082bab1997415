"""Builders for invites, requests to join, delegations, sponsors and the authority."""

from flair_client.chain.accounts import Scope
from flair_client.chain.arguments import (
    AuthorityOfferArgs,
    DelegationCreateArgs,
    InviteCreateArgs,
    JoinRequestArgs,
    NoArgs,
    RepoSetSponsorArgs,
)
from flair_client.chain.instructions.base import Instruction, build
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_delegation_pda,
    find_invite_pda,
    find_join_request_pda,
    find_role_pda,
)
from flair_client.ids import Address, Digest

_NO_DIGEST = Digest(bytes(32))


def invite_create(
    *,
    payer: Address,
    actor: Address,
    repo: Address,
    invite_key: Address,
    scope: int,
    expires_at: int,
    role_expires_at: int = 0,
    uses: int = 1,
    branch: Address | None = None,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Lets whoever has the secret of `invite_key` take a role, `uses` times.

    Times are Unix seconds; `role_expires_at` is of the roles made by it, 0 for never.
    They are for a branch, or for the whole repository (`branch` None).
    """
    return build(
        "invite_create",
        InviteCreateArgs(invite_key, Scope(scope), expires_at, role_expires_at, uses),
        {
            "payer": payer,
            "actor": actor,
            "role": role,
            "repo": repo,
            "branch": branch,
            "invite": find_invite_pda(repo, invite_key, program_id)[0],
        },
        program_id,
    )


def invite_redeem(
    *,
    payer: Address,
    grantee: Address,
    repo: Address,
    invite_key: Address,
    invite_payer: Address,
    branch: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Takes the role that an invite offers, for the invite's `branch`.

    `invite_payer` paid the invite's rent, and gets it back at the last use.
    """
    return build(
        "invite_redeem",
        NoArgs(),
        {
            "payer": payer,
            "grantee": grantee,
            "invite_key": invite_key,
            "repo": repo,
            "invite": find_invite_pda(repo, invite_key, program_id)[0],
            "invite_payer": invite_payer,
            "new_role": find_role_pda(repo, branch, grantee, program_id)[0],
        },
        program_id,
    )


def invite_revoke(
    *,
    actor: Address,
    repo: Address,
    invite_key: Address,
    rent_payer: Address,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Closes an invite; its rent goes to whoever paid it."""
    return build(
        "invite_revoke",
        NoArgs(),
        {
            "actor": actor,
            "role": role,
            "repo": repo,
            "invite": find_invite_pda(repo, invite_key, program_id)[0],
            "rent_payer": rent_payer,
        },
        program_id,
    )


def join_request(
    *,
    payer: Address,
    applicant: Address,
    repo: Address,
    scope: int,
    note_digest: Digest = _NO_DIGEST,
    branch: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Asks for a role for a branch, or for the whole repository (`branch` None)."""
    return build(
        "join_request",
        JoinRequestArgs(Scope(scope), note_digest),
        {
            "payer": payer,
            "applicant": applicant,
            "repo": repo,
            "branch": branch,
            "request": find_join_request_pda(repo, applicant, program_id)[0],
        },
        program_id,
    )


def join_close(
    *,
    actor: Address,
    repo: Address,
    applicant: Address,
    rent_payer: Address,
    role: Address | None = None,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Closes a request to join; its rent goes to whoever paid it."""
    return build(
        "join_close",
        NoArgs(),
        {
            "actor": actor,
            "role": role,
            "repo": repo,
            "request": find_join_request_pda(repo, applicant, program_id)[0],
            "rent_payer": rent_payer,
        },
        program_id,
    )


def delegation_create(
    *,
    payer: Address,
    wallet: Address,
    repo: Address,
    machine_key: Address,
    expires_at: int,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Lets a machine's key push for a wallet until `expires_at`, in Unix seconds."""
    return build(
        "delegation_create",
        DelegationCreateArgs(machine_key, expires_at),
        {
            "payer": payer,
            "wallet": wallet,
            "repo": repo,
            "delegation": find_delegation_pda(repo, wallet, machine_key, program_id)[0],
        },
        program_id,
    )


def delegation_revoke(
    *,
    actor: Address,
    wallet: Address,
    repo: Address,
    machine_key: Address,
    rent_payer: Address,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Ends a delegation; its rent goes to whoever paid it."""
    return build(
        "delegation_revoke",
        NoArgs(),
        {
            "actor": actor,
            "repo": repo,
            "delegation": find_delegation_pda(repo, wallet, machine_key, program_id)[0],
            "rent_payer": rent_payer,
        },
        program_id,
    )


def repo_set_sponsor(
    *,
    authority: Address,
    repo: Address,
    sponsor: Address,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Names who pays for contributors; the zero address is nobody."""
    return build(
        "repo_set_sponsor",
        RepoSetSponsorArgs(sponsor),
        {"authority": authority, "repo": repo},
        program_id,
    )


def authority_offer(
    *,
    authority: Address,
    repo: Address,
    new_authority: Address,
    program_id: Address = PROGRAM_ID,
) -> Instruction:
    """Offers the repository to a wallet; the zero address takes the offer back."""
    return build(
        "authority_offer",
        AuthorityOfferArgs(new_authority),
        {"authority": authority, "repo": repo},
        program_id,
    )


def authority_accept(
    *, new_authority: Address, repo: Address, program_id: Address = PROGRAM_ID
) -> Instruction:
    """Takes the repository that was offered; older roles and invites are void."""
    return build(
        "authority_accept",
        NoArgs(),
        {"new_authority": new_authority, "repo": repo},
        program_id,
    )
