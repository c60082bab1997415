"""Invites: links that let whoever has them take a role, some number of times."""

import os
from dataclasses import dataclass, field

from flair_client.audit import AuditKind
from flair_client.chain import instructions
from flair_client.chain.accounts import InviteAccount, Scope
from flair_client.chain.pdas import find_invite_pda
from flair_client.chain.signer import KeypairSigner
from flair_client.context import Context
from flair_client.errors import AccountMissing
from flair_client.ids import ZERO_ADDRESS, Address
from flair_client.invite_link import SEED_SIZE, InviteLink, check_sponsor_url
from flair_client.porcelain.auditing import scope_words
from flair_client.porcelain.target import find_repo
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invite.

    Attributes:
        key: its public key, by which it is listed and revoked.
        link: the secret; nobody can show it again.
        expires_at, role_expires_at: seconds since 1970; None is never.
    """

    repo: RepoAddress
    key: Address
    link: str = field(repr=False)
    branch: str | None
    scope: Scope
    uses: int
    expires_at: int
    role_expires_at: int | None
    tx_signature: str


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite as people see it.

    Attributes:
        branch: its name; None where the roles hold for the whole repository.
        holds: whether it can still be used.
    """

    key: Address
    branch: str | None
    scope: Scope
    uses_left: int
    expires_at: int
    role_expires_at: int | None
    created_by: Address
    holds: bool


@dataclass(frozen=True, slots=True)
class InviteList:
    """The invites of a repository, the next to expire first."""

    repo: RepoAddress
    invites: tuple[Invite, ...]


@dataclass(frozen=True, slots=True)
class InviteRevoked:
    """An invite that can no longer be used."""

    repo: RepoAddress
    key: Address
    uses_left: int
    tx_signature: str


def invite_create(
    ctx: Context,
    repo: RepoAddress,
    scope: Scope,
    *,
    lasts_s: int,
    uses: int = 1,
    branch: str | None = None,
    role_lasts_s: int | None = None,
    sponsor_url: str | None = None,
) -> Invited:
    """Makes a link with which others take a role themselves.

    Args:
        ctx: with the wallet of the owner or an administrator.
        repo: the repository.
        scope: what the roles allow; never to administer.
        lasts_s: for how long the link can be used, from now.
        uses: how many wallets may use it.
        branch: where the roles hold; None is the whole repository.
        role_lasts_s: how long the roles hold, from now; None is for ever.
        sponsor_url: who pays for those who join with it; written into the link.

    Raises:
        IdentifierInvalid: the sponsor's URL is none.
        ProgramRefused: the wallet may not, or a value is out of range.
    """
    if sponsor_url is not None:
        check_sponsor_url(sponsor_url)
    target = find_repo(ctx, repo)
    place = None if branch is None else target.branch(branch).address
    seed = os.urandom(SEED_SIZE)
    key = KeypairSigner(seed).address
    now, wallet = ctx.now(), ctx.wallet.address
    role_expires_at = 0 if role_lasts_s is None else now + role_lasts_s
    told = {"scope": scope_words(scope), "branch": branch, "uses": uses}
    ctx.write_audit(
        AuditKind.MEMBER, verb="invite", repo=str(target.name), invite=str(key), **told
    )
    sent = ctx.send(
        [
            instructions.invite_create(
                payer=wallet,
                actor=wallet,
                repo=target.address,
                invite_key=key,
                scope=scope,
                expires_at=now + lasts_s,
                role_expires_at=role_expires_at,
                uses=uses,
                branch=place,
                role=target.right(Scope.ADMINISTER, place),
                program_id=ctx.program_id,
            )
        ]
    )
    return Invited(
        repo=repo.at(None),
        key=key,
        link=str(InviteLink(repo.at(None), seed, sponsor_url)),
        branch=branch,
        scope=scope,
        uses=uses,
        expires_at=now + lasts_s,
        role_expires_at=role_expires_at or None,
        tx_signature=str(sent.signature),
    )


def invite_list(ctx: Context, repo: RepoAddress) -> InviteList:
    """Lists the invites that are neither used up nor revoked."""
    target = find_repo(ctx, repo)
    names = target.branch_names()
    now = ctx.now()

    def shown(one: InviteAccount) -> Invite:
        whole = one.branch == ZERO_ADDRESS
        void = one.authority_epoch != target.account.authority_epoch
        dead = one.role_expires_at != 0 and one.role_expires_at <= now
        return Invite(
            key=one.key,
            branch=None if whole else names.get(one.branch, str(one.branch)),
            scope=one.scope,
            uses_left=one.uses_left,
            expires_at=one.expires_at,
            role_expires_at=one.role_expires_at or None,
            created_by=one.created_by,
            holds=now < one.expires_at and not void and not dead,
        )

    return InviteList(repo, tuple(map(shown, ctx.chain.invites(target.address))))


def invite_revoke(ctx: Context, repo: RepoAddress, key: Address) -> InviteRevoked:
    """Closes an invite; its rent goes to whoever paid it.

    Raises:
        AccountMissing: there is no such invite.
        ProgramRefused: the wallet may not.
    """
    target = find_repo(ctx, repo)
    found = ctx.chain.invite(target.address, key)
    if found is None:
        address = find_invite_pda(target.address, key, ctx.program_id)[0]
        raise AccountMissing(address, "invite", f"of key {key} in {repo.at(None)}")
    place = None if found.branch == ZERO_ADDRESS else found.branch
    sent = ctx.send(
        [
            instructions.invite_revoke(
                actor=ctx.wallet.address,
                repo=target.address,
                invite_key=key,
                rent_payer=found.rent_payer,
                role=target.right(Scope.ADMINISTER, place),
                program_id=ctx.program_id,
            )
        ]
    )
    return InviteRevoked(repo, key, found.uses_left, str(sent.signature))
