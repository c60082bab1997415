"""What random users do to come in, and to let machines work for them."""

from program_harness.call import address_of, wallet
from program_harness.membership import Delegation, Invite, Request
from program_harness.mergers import Mergers
from program_harness.values import NO_BRANCH


class Joiners(Mergers):
    """Invites, asks and answers; lets machines push; names a sponsor."""

    def invite(  # noqa: PLR0917 - passed by name
        self,
        name: str,
        key: str,
        by: str,
        payer: str,
        scope: int,
        seconds: int,
        uses: int,
        whole: bool,
        stale: bool,
    ) -> None:
        """Somebody makes an invite."""
        people, now = self.model.people, self.model.now
        at = "" if whole else name
        expires_at = now - 1 if stale else now + 20 * seconds
        # Some roles are over before their invite is.
        later = 0 if uses % 2 else now + 10 * seconds
        invite = Invite(payer, by, at, scope, expires_at, later, uses, people.epoch)
        call = self.place.invite_create(
            key,
            branch=self.places[name].branch if at else None,
            scope=scope,
            expires_at=expires_at,
            role_expires_at=later,
            uses=uses,
        ).signed_by(payer=wallet(payer), actor=wallet(by))
        call = call.with_accounts(role=self.role_account(at, by))
        if self.send(call, people.reasons_invite(key, invite, now)):
            people.invites[key] = invite

    def redeem(self, key: str, who: str, payer: str) -> None:
        """Somebody takes an invite's role."""
        people = self.model.people
        invite = people.invites.get(key)
        if invite is None:
            return
        branch = self.places[invite.branch].branch if invite.branch else None
        call = self.place.invite_redeem(key, who, branch=branch)
        call = call.signed_by(payer=wallet(payer)).with_accounts(
            invite_payer=address_of(invite.payer)
        )
        event = self.send(call, people.reasons_redeem(key, who, self.model.now))
        if event:
            people.redeem(key, who, payer)
            assert event["uses_left"] == invite.uses_left

    def revoke_invite(self, key: str, by: str) -> None:
        """Somebody takes an invite back."""
        people = self.model.people
        invite = people.invites.get(key)
        if invite is None:
            return
        call = self.place.invite_revoke(key).signed_by(actor=wallet(by))
        call = call.with_accounts(
            role=self.role_account(invite.branch, by),
            rent_payer=address_of(invite.payer),
        )
        if self.send(call, people.reasons_revoke(key, by, self.model.now)):
            del people.invites[key]

    def drop_role(self, count: int) -> None:
        """The owner takes a role back, of a branch too, and what is void."""
        people = self.model.people
        if not people.roles:
            return
        at, who = sorted(people.roles)[count % len(people.roles)]
        branch = self.places[at].branch if at else None
        call = self.place.role_revoke(who, branch=branch).with_accounts(
            rent_payer=address_of(people.roles[at, who].payer)
        )
        event = self.send(call.signed_by(actor=wallet(people.owner)), [])
        assert event is not None
        assert event["branch"] == (branch or NO_BRANCH)
        del people.roles[at, who]

    def ask(self, name: str, who: str, payer: str, scope: int, whole: bool) -> None:
        """Somebody asks for a role."""
        people = self.model.people
        branch = None if whole else self.places[name].branch
        call = self.place.join_request(who, scope, branch=branch)
        call = call.signed_by(payer=wallet(payer))
        if self.send(call, people.reasons_ask(who, scope)):
            people.requests[who] = Request(payer, "" if whole else name, scope)

    def answer(self, who: str, by: str) -> None:
        """A request is closed by whoever may, or may not."""
        people = self.model.people
        request = people.requests.get(who)
        if request is None:
            return
        call = self.place.join_close(who).signed_by(actor=wallet(by))
        call = call.with_accounts(
            role=self.role_account(request.branch, by),
            rent_payer=address_of(request.payer),
        )
        if self.send(call, people.reasons_answer(who, by, self.model.now)):
            del people.requests[who]

    def delegate(
        self, who: str, machine: str, payer: str, seconds: int, stale: bool
    ) -> None:
        """Somebody lets a machine push for it."""
        people, now = self.model.people, self.model.now
        expires_at = now if stale else now + 20 * seconds
        call = self.place.delegation_create(who, machine, expires_at=expires_at)
        call = call.signed_by(payer=wallet(payer))
        if self.send(call, people.reasons_delegate(who, machine, expires_at, now)):
            people.delegations[who, machine] = Delegation(payer, expires_at)

    def undelegate(self, count: int, actor_is: str, by: str) -> None:
        """A delegation is taken back by its wallet, its key or another."""
        people = self.model.people
        if not people.delegations:
            return
        who, machine = sorted(people.delegations)[count % len(people.delegations)]
        actor = {"wallet": who, "key": machine}.get(actor_is, by)
        call = self.place.delegation_revoke(who, machine).signed_by(actor=wallet(actor))
        call = call.with_accounts(
            rent_payer=address_of(people.delegations[who, machine].payer)
        )
        broken = people.reasons_undelegate(who, machine, actor, self.model.now)
        if self.send(call, broken):
            del people.delegations[who, machine]

    def push_for(
        self, name: str, age: int, count: int, payer: str, weight: int
    ) -> None:
        """A machine pushes with a delegation that it has."""
        pairs = sorted(self.model.people.delegations)
        if pairs:
            who, machine = pairs[count % len(pairs)]
            self.push_by(name, age, who, machine, payer, weight, stale=False)

    def set_sponsor(self, payer: str, again: bool) -> None:
        """The owner says who pays, or that nobody does."""
        sponsor = "" if again else payer
        call = self.place.repo_set_sponsor(sponsor)
        self.send(call.signed_by(authority=wallet(self.model.people.owner)), [])
        self.model.people.sponsor = sponsor
