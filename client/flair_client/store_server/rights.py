"""Who may put blocks into a served store, by the repository's accounts on chain."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from flair_client.chain.accounts import RepoAccount, RoleAccount, Scope
from flair_client.errors import AccountMissing, UploadRefused
from flair_client.ids import Address

if TYPE_CHECKING:
    from flair_client.chain.client import ChainClient

_OPEN_POLICY: Final = 0


class Standing(StrEnum):
    """By what a wallet may upload, the strongest first; each has its own quota."""

    AUTHORITY = "authority"
    ADMINISTER = "administer"
    MERGE = "merge"
    CONTRIBUTE = "contribute"
    OPEN = "open"


# Whoever attests puts little more than a signature's event.
_SCOPES: Final[Mapping[Scope, Standing]] = {
    Scope.ADMINISTER: Standing.ADMINISTER,
    Scope.MERGE: Standing.MERGE,
    Scope.CONTRIBUTE: Standing.CONTRIBUTE,
    Scope.ATTEST: Standing.CONTRIBUTE,
}


def standing_of(
    chain: "ChainClient", repo: Address, wallet: Address, signer: Address, now: int
) -> Standing:
    """Gives the strongest right that a wallet has in a repository now.

    Args:
        chain: asked anew each time, so that what was revoked counts no more.
        repo: the repository's account.
        wallet: whose right.
        signer: who signed: the wallet, or a machine key that it delegated to, which
            counts as a contributor at most.
        now: seconds since 1970.

    Raises:
        UploadRefused: it has none.
        ChainError: the chain gives no usable answers.
    """
    try:
        account = chain.repo(repo)
    except AccountMissing as exc:
        raise UploadRefused("repo", f"there is no repository {repo}") from exc
    if signer != wallet:
        lent = chain.delegation(repo, wallet, signer)
        if lent is None or lent.expires_at <= now:
            raise UploadRefused(
                "signer", f"wallet {wallet} has not delegated to {signer}"
            )
    found = _strongest(chain, account, repo, wallet, now)
    if found is None:
        raise UploadRefused("stranger", f"wallet {wallet} has no role in {repo}")
    if signer != wallet and found is not Standing.OPEN:
        return Standing.CONTRIBUTE
    return found


def _strongest(
    chain: "ChainClient", account: RepoAccount, repo: Address, wallet: Address, now: int
) -> Standing | None:
    if account.authority == wallet:
        return Standing.AUTHORITY
    held = Scope(0)
    for role in chain.roles(repo):
        if role.grantee == wallet and _holds(role, account, now):
            held |= role.scope
    for scope, standing in _SCOPES.items():
        if scope in held:
            return standing
    return Standing.OPEN if _is_open(chain, repo) else None


def _holds(role: RoleAccount, account: RepoAccount, now: int) -> bool:
    is_over = bool(role.expires_at) and role.expires_at <= now
    return not is_over and role.authority_epoch == account.authority_epoch


def _is_open(chain: "ChainClient", repo: Address) -> bool:
    """Whether the rules in force on some branch let anybody contribute."""
    indices = {one.policy_index for one in chain.branches(repo)}
    for index in indices:
        try:
            if chain.policy(repo, index).params.contribute == _OPEN_POLICY:
                return True
        except AccountMissing:
            continue
    return False
