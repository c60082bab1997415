"""Roles: who besides the owner may contribute, merge, attest or administer."""

from dataclasses import dataclass

from flair_client.chain.accounts import RoleAccount, Scope
from flair_client.chain.instructions import role_grant as build_grant
from flair_client.chain.instructions import role_revoke as build_revoke
from flair_client.chain.pdas import find_role_pda
from flair_client.context import Context
from flair_client.errors import AccountMissing
from flair_client.ids import ZERO_ADDRESS, Address
from flair_client.porcelain.join import close_instruction
from flair_client.porcelain.target import find_repo
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class Role:
    """A role as people see it.

    Attributes:
        branch: its name; None where the role holds for the whole repository.
        expires_at: seconds since 1970; None where it never ends.
        holds: whether it has not expired and its epoch is the repository's.
    """

    grantee: Address
    branch: str | None
    scope: Scope
    expires_at: int | None
    granted_by: Address
    holds: bool


@dataclass(frozen=True, slots=True)
class RoleList:
    """The roles of a repository, by grantee."""

    repo: RepoAddress
    authority: Address
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class RoleGranted:
    """A new role.

    Attributes:
        answers_request: whether it closed a request of the wallet to join.
    """

    repo: RepoAddress
    grantee: Address
    branch: str | None
    scope: Scope
    expires_at: int | None
    tx_signature: str
    answers_request: bool = False


@dataclass(frozen=True, slots=True)
class RoleRevoked:
    """A role that was taken back."""

    repo: RepoAddress
    grantee: Address
    branch: str | None
    scope: Scope
    tx_signature: str


def role_grant(
    ctx: Context,
    repo: RepoAddress,
    grantee: Address,
    scope: Scope,
    *,
    branch: str | None = None,
    lasts_s: int | None = None,
) -> RoleGranted:
    """Gives a wallet a role; a request of that wallet to join is answered with it.

    Args:
        ctx: with the wallet of the owner or an administrator.
        repo: the repository.
        grantee: who gets it.
        scope: what it allows.
        branch: where it holds; None is the whole repository.
        lasts_s: for how long, from now; None is for ever.

    Raises:
        ProgramRefused: the wallet may not, or there is such a role already.
    """
    target = find_repo(ctx, repo)
    place = None if branch is None else target.branch(branch).address
    expires_at = 0 if lasts_s is None else ctx.now() + lasts_s
    wallet = ctx.wallet.address
    steps = [
        build_grant(
            payer=wallet,
            actor=wallet,
            repo=target.address,
            grantee=grantee,
            scope=scope,
            expires_at=expires_at,
            branch=place,
            role=target.right(Scope.ADMINISTER, place),
            program_id=ctx.program_id,
        )
    ]
    request = ctx.chain.join_request(target.address, grantee)
    # Whoever administers one branch cannot answer for another one.
    answers = request is not None and (
        target.is_mine or request.branch == (place or ZERO_ADDRESS)
    )
    if request is not None and answers:
        steps.append(close_instruction(target, request))
    sent = ctx.send(steps)
    return RoleGranted(
        *(repo, grantee, branch, scope, expires_at or None, str(sent.signature)),
        answers_request=answers,
    )


def role_revoke(
    ctx: Context, repo: RepoAddress, grantee: Address, *, branch: str | None = None
) -> RoleRevoked:
    """Takes a role back; its rent goes to whoever paid it.

    Raises:
        AccountMissing: there is no such role.
        ProgramRefused: the wallet may not.
    """
    target = find_repo(ctx, repo)
    place = None if branch is None else target.branch(branch).address
    role = ctx.chain.role_for(target.address, place, grantee)
    if role is None:
        address = find_role_pda(target.address, place, grantee, ctx.program_id)[0]
        raise AccountMissing(address, "role", f"of {grantee} in {repo.at(None)}")
    sent = ctx.send(
        [
            build_revoke(
                actor=ctx.wallet.address,
                repo=target.address,
                grantee=grantee,
                rent_payer=role.rent_payer,
                branch=place,
                role=target.right(Scope.ADMINISTER, place),
                program_id=ctx.program_id,
            )
        ]
    )
    return RoleRevoked(repo, grantee, branch, role.scope, str(sent.signature))


def role_list(ctx: Context, repo: RepoAddress) -> RoleList:
    """Lists the roles of a repository, also those that no longer hold.

    Raises:
        AccountMissing: there is no such repository.
    """
    target = find_repo(ctx, repo)
    names = target.branch_names()
    now = ctx.now()

    def shown(role: RoleAccount) -> Role:
        expired = role.expires_at != 0 and role.expires_at <= now
        void = role.authority_epoch != target.account.authority_epoch
        whole = role.branch == ZERO_ADDRESS
        return Role(
            grantee=role.grantee,
            branch=None if whole else names.get(role.branch, str(role.branch)),
            scope=role.scope,
            expires_at=role.expires_at or None,
            granted_by=role.granted_by,
            holds=not (expired or void),
        )

    roles = [shown(role) for role in ctx.chain.roles(target.address)]
    roles.sort(key=lambda role: (str(role.grantee), role.branch or ""))
    return RoleList(repo, target.account.authority, tuple(roles))
