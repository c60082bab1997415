"""What random users do about a proposed merge, and about who owns the repository."""

from program_harness.call import Call, address_of, wallet
from program_harness.joiners import Joiners
from program_harness.records import Round
from program_harness.values import digest
from program_harness.votes import find_attestation
from program_harness.world import Place


class Voters(Joiners):
    """Approves, attests, closes attestations; offers the repository and takes it."""

    def offer(self, who: str, by: str, again: bool) -> None:
        """Somebody offers the repository, or takes the offer back."""
        people = self.model.people
        to = "" if again else who
        call = self.place.authority_offer(to).signed_by(authority=wallet(by))
        if self.send(call, people.reasons_offer(by, to)):
            people.pending = to

    def accept(self, who: str, again: bool) -> None:
        """The wallet that it was offered to takes it, or another tries."""
        people = self.model.people
        taker = who if again else people.pending or who
        old = people.owner
        call = self.place.authority_accept(taker)
        event = self.send(call, people.reasons_accept(taker))
        if event:
            people.accept()
            assert event["old_authority"] == address_of(old)
            assert event["authority_epoch"] == people.epoch

    def approve(self, name: str, age: int, by: str, stale: bool, again: bool) -> None:
        """The owner approves a candidate, or another tries."""
        picked = self.with_candidate(name, age, latest=not again)
        if picked is None:
            return
        place, branch, index, commit = picked
        chosen = branch.rounds[index]
        root = digest("other updates") if stale else chosen.root
        call = place.merge_approve(root=root).signed_by(authority=wallet(by))
        call = _about(call, place, index, commit)
        broken = self.model.reasons_approve(branch, index, commit, by, root)
        if self.send(call, broken):
            chosen.candidates[commit].approved.add(self.model.people.epoch)

    def attest(  # noqa: PLR0917 - passed by name
        self, name: str, age: int, who: str, payer: str, stale: bool, again: bool
    ) -> None:
        """Somebody attests a candidate."""
        picked = self.with_candidate(name, age, latest=not again)
        if picked is None or who in self.killed:
            return
        place, branch, index, commit = picked
        chosen, epoch = branch.rounds[index], self.model.people.epoch
        root = digest("other updates") if stale else chosen.root
        call = place.merge_attest(who, with_role=False, root=root)
        call = call.signed_by(payer=wallet(payer), attester=wallet(who))
        call = _about(call, place, index, commit).with_accounts(
            role=self.role_account(name, who),
            attestation=find_attestation(
                place.find_candidate(commit, index), who, epoch
            ),
        )
        broken = self.model.reasons_attest(branch, index, commit, who, root)
        if self.send(call, broken):
            chosen.candidates[commit].attested.add((epoch, who))
            chosen.attestations[commit, epoch, who] = payer

    def expire_attestation(self, name: str, age: int, count: int) -> None:
        """Anyone closes an attestation."""
        branch, place = self.model.branches[name], self.places[name]
        known = [i for i, each in branch.rounds.items() if each.attestations]
        if not known:
            return
        index = known[-1 - min(age, len(known) - 1)]
        made = branch.rounds[index].attestations
        commit, epoch, who = sorted(made)[count % len(made)]
        candidate = place.find_candidate(commit, index)
        call = place.attestation_expire(who).with_accounts(
            attestation=find_attestation(candidate, who, epoch),
            rent_payer=address_of(made[commit, epoch, who]),
        )
        broken = ["CandidateLive"] if branch.is_live(index) else []
        event = self.send(call, broken)
        if event:
            assert event["commit_id"] == commit
            del made[commit, epoch, who]

    def check_candidates(self, place: Place, index: int, expected: Round) -> None:
        """Candidates on chain have the model's votes."""
        epoch = self.model.people.epoch
        for commit, candidate in expected.candidates.items():
            state = self.chain.read(place.find_candidate(commit, index))
            counts = state.votes_epoch == epoch
            votes = (state.approvals, state.attestations) if counts else (0, 0)
            assert votes == candidate.votes(epoch)
            assert state.proposer == address_of(candidate.proposer)
            assert state.authority_epoch == candidate.epoch


def _about(call: Call, place: Place, index: int, commit: bytes) -> Call:
    """The same call about a candidate of another round."""
    return call.with_accounts(
        round=place.find_round(index), candidate=place.find_candidate(commit, index)
    )
