"""What random users do to merge, and after it."""

from collections.abc import Sequence
from fractions import Fraction

from program_harness.call import Call, wallet
from program_harness.contributors import Contributors
from program_harness.membership import Role
from program_harness.model import Branch, Candidate
from program_harness.values import MERGE
from program_harness.world import Place


class Mergers(Contributors):
    """Accumulates, proposes and finalizes; settles and expires."""

    def accumulate(
        self, name: str, age: int, count: int, order: Sequence[str] | None
    ) -> None:
        """Anyone adds updates, in the right order or another."""
        picked = self.pick(name, age)
        if picked is None:
            return
        place, branch, index = picked
        chosen = branch.rounds[index]
        waiting = [who for who, each in chosen.updates.items() if each.status == 2]
        if order is None:
            waiting.sort(
                key=lambda who: (-chosen.updates[who].weight, self.model.addresses[who])
            )
        else:
            waiting = [who for who in order if who in chosen.updates]
        who = waiting[: count or None]
        call = place.merge_accumulate(who).with_accounts(round=place.find_round(index))
        call = self.renamed(call, place, index, who)
        event = self.send(call, self.model.reasons_accumulate(branch, index, who))
        if event:
            self.model.accumulate(chosen, who)
            assert event["update_root"] == chosen.root

    def renamed(self, call: Call, place: Place, index: int, who: Sequence[str]) -> Call:
        """The same call about updates of another round."""
        metas = tuple(
            type(meta)(place.find_update(name, index), False, True)
            for name, meta in zip(who, call.more, strict=True)
        )
        return type(call)(call.name, call.accounts, {}, call.signers, metas)

    def make_merger(self, who: str) -> None:
        """The owner lets somebody merge."""
        roles = self.model.people.roles
        call = self.place.role_grant(who, MERGE)
        if self.send(call, ["in use"] if ("", who) in roles else []):
            roles["", who] = Role("payer", MERGE)

    def propose(self, name: str, age: int, who: str, payer: str, again: bool) -> None:
        """Somebody proposes a merge."""
        picked = self.pick(name, age)
        if picked is None:
            return
        place, branch, index = picked
        chosen = branch.rounds[index]
        commit = self.fresh()
        if again and chosen.candidates:
            commit = min(chosen.candidates)
        call = place.merge_propose().signed_by(
            payer=wallet(payer), proposer=wallet(who)
        )
        call = call.with_arguments(commit_id=commit).with_accounts(
            policy=place.find_policy(chosen.policy_index),
            round=place.find_round(index),
            candidate=place.find_candidate(commit, index),
            role=self.role_account(name, who),
            proposer_update=(
                place.find_update(who, index) if who in chosen.updates else None
            ),
        )
        broken = self.model.reasons_propose(branch, index, who, commit)
        if self.send(call, broken):
            chosen.candidates[commit] = Candidate(payer, self.model.now)

    def with_candidate(
        self, name: str, age: int
    ) -> tuple[Place, Branch, int, bytes] | None:
        """A round and one of its candidates."""
        picked = self.pick(name, age)
        if picked is None or not picked[1].rounds[picked[2]].candidates:
            return None
        return *picked, max(picked[1].rounds[picked[2]].candidates)

    def finalize(self, name: str, age: int) -> None:
        """Anyone makes a candidate the head."""
        picked = self.with_candidate(name, age)
        if picked is None:
            return
        place, branch, index, commit = picked
        chosen = branch.rounds[index]
        call = place.merge_finalize().with_accounts(
            policy=place.find_policy(chosen.policy_index),
            round=place.find_round(index),
            candidate=place.find_candidate(commit, index),
            candidate_payer=wallet(chosen.candidates[commit].payer).pubkey(),
        )
        event = self.send(call, self.model.reasons_finalize(branch, index, commit))
        if event:
            total = chosen.weight_sum
            assert (event["weight_sum"], event["update_root"]) == (total, chosen.root)
            assert event["lambda"] == round(Fraction(chosen.policy.eta, total))
            # None counted twice, none left out.
            assert len(chosen.added) == len(set(chosen.added)) == event["n_accepted"]
            assert sum(-weight for weight, _ in chosen.added) == total
            self.model.finalize(branch, index, commit)

    def expire_candidate(self, name: str, age: int) -> None:
        """Anyone closes a candidate."""
        # Candidates outlive their round's account.
        branch, place = self.model.branches[name], self.places[name]
        known = [i for i, each in branch.rounds.items() if each.candidates]
        if not known:
            return
        index = known[-1 - min(age, len(known) - 1)]
        chosen = branch.rounds[index]
        commit = min(chosen.candidates)
        call = place.merge_expire(index=index).with_accounts(
            candidate=place.find_candidate(commit, index),
            candidate_payer=wallet(chosen.candidates[commit].payer).pubkey(),
        )
        broken = ["CandidateLive"] if branch.is_live(index) else []
        if self.send(call, broken):
            del chosen.candidates[commit]

    def expire(self, name: str, age: int, who: str) -> None:
        """Anyone closes an update of a round without merge."""
        picked = self.with_update(name, age, who)
        if picked is None:
            return
        place, branch, index, who = picked
        call = self.on(place, "update_expire", index, who)
        if self.send(call, self.model.reasons_expire(branch, index)):
            self.model.drop(branch.rounds[index], who)

    def settle(self, name: str, age: int, who: str) -> None:
        """Anyone settles an update."""
        picked = self.with_update(name, age, who)
        if picked is None:
            return
        place, branch, index, who = picked
        call = self.on(place, "update_settle", index, who)
        event = self.send(call, self.model.reasons_settle(branch, index))
        if event:
            assert event["points"] == self.model.settle(branch.rounds[index], who)

    def move_head(self, name: str, stale: bool, kind: int) -> None:
        """The owner moves a head otherwise."""
        place, branch = self.places[name], self.model.branches[name]
        head = self.fresh()
        call = place.branch_advance(kind, head)
        if stale:
            call = call.with_arguments(expected_seq=branch.seq - 1)
        if self.send(call, ["HeadMoved"] if stale else []):
            self.model.advance(branch, head)
