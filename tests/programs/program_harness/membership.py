"""What docs/protocol.md says about roles, invites, requests and delegations.

As in `model`: each `reasons_*` lists the rules that a call breaks, the first first.
Keys and wallets go by name; the branch of a role is a name, or empty for all.
"""

from dataclasses import dataclass, field

from program_harness.values import ADMINISTER


@dataclass(slots=True)
class Role:
    """A role that exists on chain."""

    payer: str
    scope: int
    expires_at: int = 0
    epoch: int = 0


@dataclass(slots=True)
class Invite:
    """An invite that exists on chain."""

    payer: str
    by: str
    branch: str
    scope: int
    expires_at: int
    role_expires_at: int
    uses_left: int
    epoch: int = 0


@dataclass(slots=True)
class Request:
    """A request to join that exists on chain."""

    payer: str
    branch: str
    scope: int


@dataclass(slots=True)
class Delegation:
    """A delegation that exists on chain."""

    payer: str
    expires_at: int


@dataclass(slots=True)
class Membership:
    """Who may act in a repository besides its owner.

    Attributes:
        pending: whom the repository was offered to; empty: nobody.
        epoch: how often it changed hands.
        roles: by branch and grantee.
        delegations: by wallet and key.
    """

    owner: str
    roles: dict[tuple[str, str], Role] = field(default_factory=dict)
    invites: dict[str, Invite] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    delegations: dict[tuple[str, str], Delegation] = field(default_factory=dict)
    sponsor: str = ""
    pending: str = ""
    epoch: int = 0

    def reasons_offer(self, by: str, to: str) -> list[str]:
        """Rules of `authority_offer`; the empty name takes the offer back."""
        broken = [] if by == self.owner else ["NotAuthority"]
        return broken + (["OfferInvalid"] if to in (self.owner, self.pending) else [])

    def reasons_accept(self, who: str) -> list[str]:
        """Rules of `authority_accept`."""
        return [] if who == self.pending else ["NotOffered"]

    def accept(self) -> None:
        """Gives the repository to whom it was offered."""
        self.owner, self.pending = self.pending, ""
        self.epoch += 1

    def role_for(self, branch: str, who: str) -> tuple[str, str] | None:
        """The role that somebody brings along: the repository's, else the branch's."""
        for key in (("", who), (branch, who)):
            if key in self.roles:
                return key
        return None

    def reasons_role(self, branch: str, who: str, scope: int, now: int) -> list[str]:
        """Why somebody may not act with the role that it brings along."""
        if who == self.owner:
            return []
        key = self.role_for(branch, who)
        if key is None:
            return ["RoleMissing"]
        role = self.roles[key]
        if role.epoch != self.epoch:
            return ["RoleVoid"]
        if role.expires_at and now >= role.expires_at:
            return ["RoleExpired"]
        return [] if role.scope & scope else ["RoleScope"]

    def reasons_invite(self, key: str, invite: Invite, now: int) -> list[str]:
        """Rules of `invite_create`."""
        broken = ["in use"] if key in self.invites else []
        broken += self.reasons_role(invite.branch, invite.by, ADMINISTER, now)
        if invite.scope & ADMINISTER:
            broken.append("ScopeTooWide")
        if now >= invite.expires_at or 0 < invite.role_expires_at <= now:
            broken.append("ExpiryInPast")
        if not 1 <= invite.uses_left <= 1000:
            broken.append("InviteUses")
        return broken

    def reasons_redeem(self, key: str, who: str, now: int) -> list[str]:
        """Rules of `invite_redeem`, where the invite exists."""
        invite = self.invites[key]
        broken = ["in use"] if (invite.branch, who) in self.roles else []
        if now >= invite.expires_at:
            broken.append("InviteExpired")
        if invite.epoch != self.epoch:
            broken.append("RoleVoid")
        if 0 < invite.role_expires_at <= now:
            broken.append("ExpiryInPast")
        return broken

    def redeem(self, key: str, who: str, payer: str) -> None:
        """Makes the role; the last use takes the invite away."""
        invite = self.invites[key]
        self.roles[invite.branch, who] = Role(
            payer, invite.scope, invite.role_expires_at, invite.epoch
        )
        invite.uses_left -= 1
        if not invite.uses_left:
            del self.invites[key]

    def reasons_revoke(self, key: str, by: str, now: int) -> list[str]:
        """Rules of `invite_revoke`, where the invite exists."""
        invite = self.invites[key]
        if by == invite.by or now >= invite.expires_at:
            return []
        return self.reasons_role(invite.branch, by, ADMINISTER, now)

    def reasons_ask(self, who: str, scope: int) -> list[str]:
        """Rules of `join_request`."""
        broken = ["in use"] if who in self.requests else []
        return broken + (["ScopeTooWide"] if scope & ADMINISTER else [])

    def reasons_answer(self, who: str, by: str, now: int) -> list[str]:
        """Rules of `join_close`, where the request exists."""
        if by == who:
            return []
        return self.reasons_role(self.requests[who].branch, by, ADMINISTER, now)

    def reasons_delegate(
        self, who: str, key: str, expires_at: int, now: int
    ) -> list[str]:
        """Rules of `delegation_create`."""
        broken = ["in use"] if (who, key) in self.delegations else []
        if who == key:
            broken.append("DelegateSelf")
        if expires_at <= now:
            broken.append("ExpiryInPast")
        if expires_at > now + 366 * 86_400:
            broken.append("DelegationTooLong")
        return broken

    def reasons_undelegate(self, who: str, key: str, by: str, now: int) -> list[str]:
        """Rules of `delegation_revoke`, where the delegation exists."""
        is_over = now >= self.delegations[who, key].expires_at
        return [] if by in (who, key) or is_over else ["NotDelegator"]

    def reasons_signer(self, who: str, key: str, now: int) -> list[str]:
        """Why a key may not push for somebody."""
        if who == key:
            return []
        delegation = self.delegations.get((who, key))
        if delegation is None:
            return ["DelegationMissing"]
        return ["DelegationExpired"] if now >= delegation.expires_at else []
