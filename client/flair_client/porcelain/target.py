"""What a command acts on: a repository, a branch, the live round, and with what right.

Used by the verbs that write to the chain; no verb itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flair_client.chain.accounts import (
    BranchAccount,
    PolicyAccount,
    RepoAccount,
    RoundAccount,
    Scope,
)
from flair_client.chain.pdas import (
    find_branch_pda,
    find_policy_pda,
    find_repo_pda,
    find_role_pda,
    find_round_pda,
)
from flair_client.context import Context
from flair_client.errors import AccountMissing, NoSponsor
from flair_client.ids import ZERO_ADDRESS, Address
from flair_client.repo_address import RepoAddress
from flair_client.store.base import name_repo


@dataclass(frozen=True, slots=True)
class RepoTarget:
    """A repository that exists."""

    ctx: Context
    name: RepoAddress
    address: Address
    account: RepoAccount

    @property
    def is_mine(self) -> bool:
        """Whether the user's wallet is the repository's authority."""
        return self.account.authority == self.ctx.wallet.address

    @property
    def payer(self) -> Address:
        """Who pays for joining and contributing: the user's wallet, or the sponsor.

        Raises:
            NoSponsor: a sponsor is to be asked, and the repository has none.
        """
        if self.ctx.sponsor_url is None:
            return self.ctx.wallet.address
        return self.sponsor

    @property
    def sponsor(self) -> Address:
        """Who the repository's owner named to pay for contributors.

        Raises:
            NoSponsor: nobody.
        """
        if self.account.sponsor == ZERO_ADDRESS:
            raise NoSponsor(f"repository {self.account.name!r} has no sponsor")
        return self.account.sponsor

    def right(
        self,
        scope: Scope,
        branch: Address | None = None,
        *,
        of: Address | None = None,
    ) -> Address | None:
        """Gives the role to bring along, or None for the authority.

        Where the wallet is not the authority and holds no such role, the answer is None
        as well: the program then refuses, which it would do in any case.

        Args:
            scope: what it must allow.
            branch: where, besides the whole repository.
            of: whose role; without it the user's wallet's.
        """
        holder = self.ctx.wallet.address if of is None else of
        if self.account.authority == holder:
            return None
        now = self.ctx.now()
        for part in (branch, None):
            role = self.ctx.chain.role_for(self.address, part, holder)
            if role is None or scope not in role.scope:
                continue
            if role.expires_at and role.expires_at <= now:
                continue
            if role.authority_epoch != self.account.authority_epoch:
                continue
            return find_role_pda(self.address, part, holder, self.ctx.program_id)[0]
        return None

    def branch(self, name: str) -> "BranchTarget":
        """Gives a branch.

        Raises:
            AccountMissing: there is none of this name.
        """
        address = find_branch_pda(self.address, name, self.ctx.program_id)[0]
        with called(address, f"{name!r} in {self.name.at(None)}"):
            account = self.ctx.chain.branch(self.address, name)
        return BranchTarget(self, address, account)

    def policy(self, index: int) -> PolicyAccount:
        """Gives a policy by its number.

        Raises:
            AccountMissing: there is none.
        """
        address = find_policy_pda(self.address, index, self.ctx.program_id)[0]
        with called(address, f"{index} in {self.name.at(None)}"):
            return self.ctx.chain.policy(self.address, index)

    def branch_names(self) -> dict[Address, str]:
        """Gives the names of all branches by address; zero is the whole repository."""
        names = {
            find_branch_pda(self.address, item.name, self.ctx.program_id)[0]: item.name
            for item in self.ctx.chain.branches(self.address)
        }
        return names | {ZERO_ADDRESS: "*"}


@dataclass(frozen=True, slots=True)
class BranchTarget:
    """A branch that exists."""

    repo: RepoTarget
    address: Address
    account: BranchAccount

    def policy_address(self, index: int) -> Address:
        """Gives the address of one of the repository's policies."""
        return find_policy_pda(self.repo.address, index, self.repo.ctx.program_id)[0]

    def policy(self, index: int) -> PolicyAccount:
        """Gives one of the repository's policies."""
        return self.repo.policy(index)

    def round(self, index: int | None = None) -> "RoundTarget":
        """Gives a round; without an index the live one, or else the last one.

        Raises:
            AccountMissing: there is no such round (any more).
        """
        account = self.account
        chosen = account.round_index if index is None else index
        found = self.repo.ctx.chain.round(self.address, chosen)
        if found is None and index is None and not account.round_live and chosen > 0:
            chosen -= 1
            found = self.repo.ctx.chain.round(self.address, chosen)
        address = find_round_pda(self.address, chosen, self.repo.ctx.program_id)[0]
        if found is None:
            of = f"{chosen} of branch {account.name!r} in {self.repo.name.at(None)}"
            raise AccountMissing(address, "round", of)
        return RoundTarget(self, address, found)


@dataclass(frozen=True, slots=True)
class RoundTarget:
    """A round that exists."""

    branch: BranchTarget
    address: Address
    account: RoundAccount


def find_repo(ctx: Context, name: RepoAddress) -> RepoTarget:
    """Gives the repository of an address.

    Raises:
        AccountMissing: there is none.
    """
    address = find_repo_pda(name.creator, name.name, ctx.program_id)[0]
    name_repo(ctx.remote, address)
    with called(address, name.at(None)):
        return RepoTarget(ctx, name, address, ctx.chain.repo(address))


@contextmanager
def called(address: Address, name: object) -> Iterator[None]:
    """Has a missing account told by the name that people know it by.

    Args:
        address: of the account.
        name: as they would write it.

    Raises:
        AccountMissing: as within, with the name where it is about this account.
    """
    try:
        yield
    except AccountMissing as exc:
        if exc.address != address or exc.name is not None:
            raise
        raise AccountMissing(address, exc.kind, name) from exc
