"""What random users do with rounds and updates."""

from program_harness.call import Call, address_of, wallet
from program_harness.crowd import TOLD, Crowd
from program_harness.records import Branch, Update
from program_harness.values import ADMINISTER, CLOSED, digest
from program_harness.world import Place


class Contributors(Crowd):
    """Opens, closes and aborts rounds; pushes, withdraws and rejects updates."""

    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.chain.wait(seconds)
        self.model.now = self.chain.now

    def open_round(self, name: str, payer: str) -> None:
        """Somebody opens the next round."""
        place, branch = self.places[name], self.model.branches[name]
        place.policy_index = branch.policy_index
        call = place.round_open().signed_by(payer=wallet(payer))
        if self.send(call, self.model.reasons_open(branch)):
            self.model.open(branch, payer)

    def set_policy(self, name: str, index: int, by: str) -> None:
        """Somebody names the policy of the next round."""
        branch = self.model.branches[name]
        call = self.places[name].branch_set_policy(index).signed_by(actor=wallet(by))
        call = call.with_accounts(role=self.role_account(name, by))
        if self.send(call, self.model.reasons_move(branch, by, ADMINISTER)):
            branch.policy_index = index

    def push(  # noqa: PLR0917 - passed by name
        self, name: str, age: int, who: str, payer: str, weight: int, stale: bool
    ) -> None:
        """A contributor pushes."""
        self.push_by(name, age, who, who, payer, weight, stale)

    def push_by(  # noqa: PLR0917 - passed by name
        self,
        name: str,
        age: int,
        who: str,
        machine: str,
        payer: str,
        weight: int,
        stale: bool,
    ) -> None:
        """A contributor pushes, or a machine for it."""
        picked = self.pick(name, age)
        if picked is None:
            return
        place, branch, index = picked
        chosen = branch.rounds[index]
        commit = self.fresh()
        base = digest("stale") if stale else chosen.base
        call = self.on(place, "update_push", index, who).signed_by(
            payer=wallet(payer), signer=wallet(machine)
        )
        is_delegated = (who, machine) in self.model.people.delegations
        call = call.with_accounts(
            role=self.role_account(name, who),
            delegation=place.find_delegation(who, machine) if is_delegated else None,
        )
        call = call.with_arguments(weight=weight, commit_id=commit, expected_base=base)
        if self.send(call, self.model.reasons_push(branch, index, who, machine, base)):
            deposit = chosen.policy.deposit
            update = Update(weight, commit, payer, deposit, machine)
            self.model.push(chosen, who, update)

    def on(self, place: Place, name: str, index: int, who: str) -> Call:
        """A call of an instruction about somebody's update of a round."""
        branch = self.model.branches[place.branch_name.decode()]
        chosen = branch.rounds[index]
        makers = {
            "update_push": lambda: place.update_push(who),
            "update_withdraw": lambda: place.update_withdraw(who),
            "update_reject": lambda: place.update_reject(who),
            "update_expire": lambda: place.update_expire(who, index),
            "update_settle": lambda: place.update_settle(who, index),
        }
        call = makers[name]().with_accounts(
            policy=place.find_policy(chosen.policy_index),
            round=place.find_round(index),
            update=place.find_update(who, index),
        )
        update = chosen.updates.get(who)
        if update is not None and "rent_payer" in call.accounts:
            call = call.with_accounts(rent_payer=address_of(update.payer))
        if "round_payer" in call.accounts:
            call = call.with_accounts(round_payer=address_of(chosen.payer))
        return call

    def with_update(
        self, name: str, age: int, who: str
    ) -> tuple[Place, Branch, int, str] | None:
        """A round and somebody who has an update in it, `who` where possible."""
        picked = self.pick(name, age)
        if picked is None or not picked[1].rounds[picked[2]].updates:
            return None
        holders = sorted(picked[1].rounds[picked[2]].updates)
        return *picked, who if who in holders else holders[0]

    def withdraw(
        self, name: str, age: int, who: str, machine: str, actor_is: str
    ) -> None:
        """A contributor takes its update back, or the machine, or another tries."""
        picked = self.with_update(name, age, who)
        if picked is None:
            return
        place, branch, index, who = picked
        signer = branch.rounds[index].updates[who].signer
        actor = {"wallet": who, "key": signer}.get(actor_is, machine)
        call = self.on(place, "update_withdraw", index, who).signed_by(
            actor=wallet(actor)
        )
        if self.send(call, self.model.reasons_withdraw(branch, index, who, actor)):
            self.model.withdraw(branch.rounds[index], who)

    def reject(self, name: str, age: int, who: str, by: str) -> None:
        """Somebody strikes an update."""
        picked = self.with_update(name, age, who)
        if picked is None:
            return
        place, branch, index, who = picked
        call = self.on(place, "update_reject", index, who).signed_by(
            authority=wallet(by)
        )
        if self.send(call, self.model.reasons_reject(branch, index, who, by)):
            self.model.reject(branch.rounds[index], who)

    def close_round(self, name: str, age: int) -> None:
        """Anyone closes a round."""
        picked = self.pick(name, age)
        if picked is None:
            return
        place, branch, index = picked
        chosen = branch.rounds[index]
        call = place.round_close().with_accounts(
            round=place.find_round(index), policy=place.find_policy(chosen.policy_index)
        )
        event = self.send(call, self.model.reasons_close(branch, index))
        if event:
            assert event["weight_sum"] == chosen.weight_sum
            self.model.close(chosen)

    def abort_round(self, name: str, age: int) -> None:
        """Anyone aborts a round."""
        picked = self.pick(name, age)
        if picked is None:
            return
        place, branch, index = picked
        chosen = branch.rounds[index]
        call = place.round_abort(index).with_accounts(
            policy=place.find_policy(chosen.policy_index),
            round_payer=address_of(chosen.payer),
        )
        reason = self.model.abort_reason(branch, index)
        event = self.send(call, self.model.reasons_abort(branch, index))
        if event:
            assert event["reason"] == reason
            if chosen.state == CLOSED and any(
                candidate.approved for candidate in chosen.candidates.values()
            ):
                TOLD["an approved merge came too late"] += 1
            self.model.abort(branch, index)
