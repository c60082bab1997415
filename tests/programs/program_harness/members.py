"""Calls about invites, requests to join, delegations, sponsors and the authority."""

from typing import Any, Final

from solders.pubkey import Pubkey

from program_harness.acts import Acts
from program_harness.call import Call, wallet
from program_harness.values import CONTRIBUTE, ZERO

DAY: Final = 86_400


class Members(Acts):
    """Calls by which people come, ask, delegate and are paid for."""

    __slots__ = ()

    def invite_create(
        self, key: str, *, branch: Pubkey | None = None, **arguments: Any
    ) -> Call:
        """The owner makes an invite for one use within a day."""
        return self._call(
            "invite_create",
            {"payer": self.payer, "actor": self.owner},
            branch=branch,
            invite=self.find_invite(key),
            arguments={
                "key": wallet(key).pubkey(),
                "scope": CONTRIBUTE,
                "expires_at": self.chain.now + DAY,
                "role_expires_at": 0,
                "uses": 1,
            }
            | arguments,
        )

    def invite_redeem(
        self, key: str, who: str, *, branch: Pubkey | None = None
    ) -> Call:
        """Somebody who has an invite's key takes its role; a sponsor pays."""
        grantee = self.chain.party(who)
        return self._call(
            "invite_redeem",
            {
                "payer": self.chain.party("redeem payer"),
                "grantee": grantee,
                "invite_key": wallet(key),
            },
            invite=self.find_invite(key),
            invite_payer=self.payer.pubkey(),
            new_role=self.find_role(grantee.pubkey(), branch),
        )

    def invite_revoke(self, key: str) -> Call:
        """The owner takes an invite back."""
        return self._call(
            "invite_revoke",
            {"actor": self.owner},
            invite=self.find_invite(key),
            rent_payer=self.payer.pubkey(),
        )

    def join_request(
        self,
        who: str,
        scope: int = CONTRIBUTE,
        *,
        branch: Pubkey | None = None,
        note: bytes = ZERO,
    ) -> Call:
        """Somebody asks for a role."""
        return self._call(
            "join_request",
            {"payer": self.payer, "applicant": self.chain.party(who)},
            branch=branch,
            request=self.find_request(who),
            arguments={"scope": scope, "note_digest": note},
        )

    def join_close(self, who: str) -> Call:
        """The owner closes a request."""
        return self._call(
            "join_close",
            {"actor": self.owner},
            request=self.find_request(who),
            rent_payer=self.payer.pubkey(),
        )

    def delegation_create(self, who: str, key: str, **arguments: Any) -> Call:
        """A wallet lets a key push for it, for a day."""
        return self._call(
            "delegation_create",
            {"payer": self.payer, "wallet": self.chain.party(who)},
            delegation=self.find_delegation(who, key),
            arguments={
                "key": wallet(key).pubkey(),
                "expires_at": self.chain.now + DAY,
            }
            | arguments,
        )

    def delegation_revoke(self, who: str, key: str) -> Call:
        """A wallet takes a delegation back."""
        return self._call(
            "delegation_revoke",
            {"actor": self.chain.party(who)},
            delegation=self.find_delegation(who, key),
            rent_payer=self.payer.pubkey(),
        )

    def repo_set_sponsor(self, sponsor: str) -> Call:
        """The owner names who pays; nobody by the empty text."""
        address = wallet(sponsor).pubkey() if sponsor else Pubkey.from_bytes(ZERO)
        return self._call(
            "repo_set_sponsor",
            {"authority": self.owner},
            arguments={"sponsor": address},
        )

    def authority_offer(self, who: str) -> Call:
        """The owner offers the repository; by the empty text it takes that back."""
        address = wallet(who).pubkey() if who else Pubkey.from_bytes(ZERO)
        return self._call(
            "authority_offer",
            {"authority": self.owner},
            arguments={"new_authority": address},
        )

    def authority_accept(self, who: str) -> Call:
        """Somebody takes the repository."""
        return self._call("authority_accept", {"new_authority": self.chain.party(who)})
