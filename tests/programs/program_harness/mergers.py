"""What random users do to merge, and after it."""

from collections.abc import Sequence
from fractions import Fraction

from program_harness.call import Call, address_of, wallet
from program_harness.contributors import Contributors
from program_harness.crowd import TOLD
from program_harness.membership import Role
from program_harness.records import Branch, Candidate, Round
from program_harness.values import digest
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

    def make_helper(self, who: str, right: int) -> None:
        """The owner lets somebody contribute, merge, attest or administer."""
        people = self.model.people
        call = self.place.role_grant(who, right)
        call = call.signed_by(actor=wallet(people.owner))
        if self.send(call, ["in use"] if ("", who) in people.roles else []):
            people.roles["", who] = Role("payer", right, epoch=people.epoch)

    def kill(self, name: str) -> None:
        """An aggregator stops for ever: one that has proposed something."""
        branch = self.model.branches[name]
        live = branch.rounds.get(branch.index)
        if live is not None and live.candidates:
            # One at a time, so that others are left.
            self.killed = {next(iter(live.candidates.values())).proposer}

    def propose(self, name: str, age: int, who: str, payer: str, again: bool) -> None:
        """Somebody proposes a merge."""
        picked = self.pick(name, age)
        if picked is None or who in self.killed:
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
            chosen.candidates[commit] = Candidate(
                payer, self.model.now, who, self.model.people.epoch
            )

    def with_candidate(
        self, name: str, age: int, *, latest: bool
    ) -> tuple[Place, Branch, int, bytes] | None:
        """A round and one of its candidates: the first or the latest."""
        picked = self.pick(name, age)
        if picked is None or not picked[1].rounds[picked[2]].candidates:
            return None
        candidates = list(picked[1].rounds[picked[2]].candidates)
        return *picked, candidates[-1 if latest else 0]

    def finalize(self, name: str, age: int, again: bool) -> None:
        """Anyone makes a candidate the head."""
        picked = self.with_candidate(name, age, latest=not again)
        if picked is None:
            return
        place, branch, index, commit = picked
        chosen = branch.rounds[index]
        call = place.merge_finalize().with_accounts(
            policy=place.find_policy(chosen.policy_index),
            round=place.find_round(index),
            candidate=place.find_candidate(commit, index),
            candidate_payer=address_of(chosen.candidates[commit].payer),
        )
        broken = self.model.reasons_finalize(branch, index, commit)
        event = self.send(call, broken)
        if "ApprovalMissing" in broken and chosen.candidates[commit].approved:
            TOLD["an approval lapsed with the owner"] += 1
        if event:
            self.tell(chosen, commit)
            total = chosen.weight_sum
            assert (event["weight_sum"], event["update_root"]) == (total, chosen.root)
            assert event["lambda"] == round(Fraction(chosen.policy.eta, total))
            # None counted twice, none left out.
            assert len(chosen.added) == len(set(chosen.added)) == event["n_accepted"]
            assert sum(-weight for weight, _ in chosen.added) == total
            self.model.finalize(branch, index, commit)

    def tell(self, chosen: Round, commit: bytes) -> None:
        """Notes in the middle of what a merge came about."""
        candidate = chosen.candidates[commit]
        others = [one for key, one in chosen.candidates.items() if key != commit]
        was_killed = any(one.proposer in self.killed for one in others)
        TOLD["a merge with an approval"] += chosen.policy.approvals
        TOLD["a merge with attestations"] += bool(chosen.policy.attestations)
        TOLD["approved again by another owner"] += len(candidate.approved) > 1
        TOLD["another candidate than the first"] += commit != next(
            iter(chosen.candidates)
        )
        TOLD["approved after a withdrawal"] += bool(
            chosen.policy.approvals and chosen.n_withdrawn
        )
        TOLD["the proposer was killed"] += candidate.proposer in self.killed
        TOLD["another one's, as the first was killed"] += was_killed

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
            candidate_payer=address_of(chosen.candidates[commit].payer),
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

    def move_head(self, name: str, by: str, stale: bool, kind: int) -> None:
        """Somebody moves a head otherwise."""
        place, branch = self.places[name], self.model.branches[name]
        head = self.fresh()
        call = place.branch_advance(kind, head).signed_by(actor=wallet(by))
        call = call.with_accounts(role=self.role_account(name, by))
        if stale:
            call = call.with_arguments(expected_seq=branch.seq - 1)
        if self.send(call, self.model.reasons_advance(branch, by, stale=stale)):
            self.model.advance(branch, head)

    def merge_models(
        self, name: str, by: str, stale: bool, again: bool, count: int
    ) -> None:
        """Somebody moves a head to a merge of models, or names them wrongly."""
        place, branch = self.places[name], self.model.branches[name]
        head = self.fresh()
        models = sorted(self.fresh() for _ in range(count))
        if again:
            # The head is the first parent: it is not named once more.
            models = sorted([*models, branch.head])
        call = place.branch_merge(head, *models).signed_by(actor=wallet(by))
        call = call.with_accounts(role=self.role_account(name, by))
        if stale:
            call = call.with_arguments(expected_head=digest("another"))
        broken = self.model.reasons_advance(branch, by, stale=stale)
        if again or not models:
            broken.append("MergedInvalid")
        event = self.send(call, broken)
        if event:
            assert event["n_merged"] == count
            assert event["ended_round"] == branch.live
            self.model.advance(branch, head)
