"""Random users over hundreds of steps, judged by a model in plain Python.

Every call is predicted: it passes and changes exactly what the model changes, or it is
refused for the first rule that the model says is broken, and changes nothing.
"""

import inspect
import random
from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from program_harness.call import CONFIG, address_of
from program_harness.crowd import (
    KEYS,
    MACHINES,
    NAMES,
    PASSED,
    PAYERS,
    REFUSED,
    TOLD,
    USERS,
)
from program_harness.habits import ACTIONS, NEXT, RIGHTS, STAY, stage_of
from program_harness.protocol import ACCOUNTS, INSTRUCTIONS, PROGRAM_ID, decode_account
from program_harness.records import Round
from program_harness.values import (
    NO_BRANCH,
    REVERT,
    SNAPSHOT,
)
from program_harness.voters import Voters
from program_harness.votes import find_attestation
from program_harness.world import Place
from solders.pubkey import Pubkey

# What the start calls, and not the users.
OTHERS: Final = {
    *("config_create", "config_set", "repo_create", "policy_create", "branch_create"),
}
REACHED: Final = sorted(set(INSTRUCTIONS) - OTHERS)
# What comes about only when several calls fall together.
STORIES: Final = (
    "a merge with an approval",
    "a merge with attestations",
    "an approval lapsed with the owner",
    "approved again by another owner",
    "approved after a withdrawal",
    "an approved merge came too late",
    "another candidate than the first",
    "the proposer was killed",
    "another one's, as the first was killed",
)
# Refusals that nobody meets by a wrong account or argument alone.
REFUSALS: Final = (
    *(("merge_approve", "NotAuthority"), ("merge_approve", "RoundNotLive")),
    *(("merge_approve", "NotAllAccumulated"), ("merge_approve", "UpdatesChanged")),
    *(("merge_approve", "ApprovedAlready"), ("merge_attest", "in use")),
    *(("merge_attest", "RoleMissing"), ("merge_attest", "RoleVoid")),
    *(("merge_attest", "AttestsOwn"), ("merge_attest", "RoundNotLive")),
    *(("merge_attest", "NotAllAccumulated"), ("merge_attest", "UpdatesChanged")),
    *(("merge_finalize", "ApprovalMissing"), ("merge_finalize", "CandidateVoid")),
    *(("merge_finalize", "AttestationsMissing"), ("merge_finalize", "ChallengeOpen")),
    *(("merge_propose", "ProtectedBranch"), ("branch_advance", "ProtectedBranch")),
    *(("branch_merge", "ProtectedBranch"), ("branch_merge", "MergedInvalid")),
    *(("branch_merge", "HeadMoved"), ("attestation_expire", "CandidateLive")),
    *(("authority_offer", "NotAuthority"), ("authority_offer", "OfferInvalid")),
    *(("authority_accept", "NotOffered"), ("invite_redeem", "RoleVoid")),
    *(("update_push", "RoleVoid"), ("merge_propose", "RoleVoid")),
)

RUNS: Final = 8
STEPS: Final = 900


class Rounds(Voters, RuleBasedStateMachine):
    """The users, one action a step."""

    @rule(seed=st.integers(0, 2**32 - 1))
    def act(self, seed: int) -> None:
        """One action: what is common in a round is common here."""
        self.steps += 1
        draw = random.Random(f"{seed} {self.steps}")
        (action,) = draw.choices(list(ACTIONS), list(ACTIONS.values()))
        names = [*NAMES]
        here = names[self.steps // STAY % len(names)]
        values = {
            "name": draw.choice([here] * 7 + names),
            # Mostly the live round, sometimes an old one.
            "age": draw.choice([0, 0, 0, 0, 1, 2]),
            "who": draw.choice(USERS),
            "payer": draw.choice(PAYERS),
            "weight": draw.choice([1, 2, 4, 64]),
            "seconds": draw.choice([1, 29, 30, 31, 60, 240, 240]),
            "index": draw.randrange(5),
            # Mostly whoever owns the repository now.
            "by": draw.choice([*[self.model.people.owner] * 3, "u0", "owner"]),
            "right": draw.choice([3, 5, 6, 6, 8]),
            "count": draw.randrange(5),
            "order": draw.choice([None, None, draw.sample(USERS, len(USERS))]),
            "stale": draw.random() < 0.2,
            "again": draw.random() < 0.2,
            "kind": draw.choice([SNAPSHOT, REVERT]),
            "machine": draw.choice(MACHINES),
            "actor_is": draw.choice(["wallet", "key", "other"]),
            "key": draw.choice(KEYS),
            "scope": draw.choice([1, 1, 2, 3, 8]),
            "uses": draw.choice([0, 1, 1, 2, 1000, 1001]),
            "whole": draw.random() < 0.5,
        }
        if draw.random() < 0.5:
            action = self.next_action(draw, here, values)
        method = getattr(self, action)
        wanted = inspect.signature(method).parameters
        method(**{name: values[name] for name in wanted})

    def next_action(
        self, draw: random.Random, here: str, values: dict[str, object]
    ) -> str:
        """What brings the live round on; changes the values to ones that may do so."""
        branch, people = self.model.branches[here], self.model.people
        live = branch.rounds[branch.index] if branch.live else None
        action = draw.choice(NEXT[stage_of(live, self.model.now)])
        may = USERS
        if action in RIGHTS:
            now, right = self.model.now, RIGHTS[action]
            may = [u for u in USERS if not people.reasons_role(here, u, right, now)]
        elif live is not None:
            may = [u for u in USERS if u not in live.updates] or USERS
        values |= {"name": here, "age": 0, "who": draw.choice(may), "order": None}
        values |= {"stale": False, "count": 0, "again": draw.random() < 0.7}
        return action

    # What always holds.

    @invariant()
    def history_has_no_hole(self) -> None:
        repo = self.chain.read(self.place.repo)
        assert (repo.event_seq, repo.history_root) == (self.seq, self.root)
        assert repo.points_total == self.model.points_total

    @invariant()
    def branches_are_the_models(self) -> None:
        for name, branch in self.model.branches.items():
            state = self.chain.read(self.places[name].branch)
            assert (
                state.head_commit,
                state.head_seq,
                state.round_index,
                state.round_live,
                state.policy_index,
            ) == (
                branch.head,
                branch.seq,
                branch.index,
                branch.live,
                branch.policy_index,
            )

    @invariant()
    def accounts_and_purses_are_the_models(self) -> None:
        """Exactly the model's accounts exist; each wallet lacks just what it keeps."""
        accounts = dict(self.chain.svm.get_program_accounts(PROGRAM_ID))
        spent = dict.fromkeys(self.purses, 0)
        expected = set(self.fixed)
        for payer, address in self.kept():
            expected.add(address)
            spent[payer] = spent.get(payer, 0) + accounts[address].lamports
            kind, fields = decode_account(accounts[address].data)
            rent = self.chain.rent(ACCOUNTS[kind].size + 8)
            deposit = fields.deposit_lamports if kind == "Update" else 0
            assert accounts[address].lamports == rent + deposit
        assert set(accounts) == expected
        for name, purse in self.purses.items():
            assert purse - self.balance(name) == spent[name], name

    def kept(self) -> list[tuple[str, Pubkey]]:
        """Who paid for which account that exists, after the start."""
        kept = []
        for name, branch in self.model.branches.items():
            place = self.places[name]
            for index, each in branch.rounds.items():
                if each.exists:
                    kept.append((each.payer, place.find_round(index)))
                kept += [
                    (update.payer, place.find_update(who, index))
                    for who, update in each.updates.items()
                ]
                kept += [
                    (candidate.payer, place.find_candidate(commit, index))
                    for commit, candidate in each.candidates.items()
                ]
                kept += [
                    (
                        payer,
                        find_attestation(place.find_candidate(commit, index), who, at),
                    )
                    for (commit, at, who), payer in each.attestations.items()
                ]
        place = self.place
        kept += [
            (payer, place.find_contribution(who))
            for who, payer in self.model.contribution_payers.items()
        ]
        return kept + self.kept_of_people()

    def kept_of_people(self) -> list[tuple[str, Pubkey]]:
        """Who paid for which role, invite, request and delegation."""
        place, people = self.place, self.model.people
        kept = []
        for (at, who), role in people.roles.items():
            branch = self.places[at].branch if at else None
            kept.append((role.payer, place.find_role(address_of(who), branch)))
        kept += [
            (invite.payer, place.find_invite(key))
            for key, invite in people.invites.items()
        ]
        kept += [
            (request.payer, place.find_request(who))
            for who, request in people.requests.items()
        ]
        kept += [
            (each.payer, place.find_delegation(*pair))
            for pair, each in people.delegations.items()
        ]
        return kept

    @invariant()
    def people_are_the_models(self) -> None:
        place, people = self.place, self.model.people
        for (at, who), role in people.roles.items():
            branch = self.places[at].branch if at else None
            state = self.chain.read(place.find_role(address_of(who), branch))
            assert (state.scope, state.expires_at) == (role.scope, role.expires_at)
        for key, invite in people.invites.items():
            state = self.chain.read(place.find_invite(key))
            assert 1 <= state.uses_left == invite.uses_left
            assert state.created_by == address_of(invite.by)
        for who, request in people.requests.items():
            assert self.chain.read(place.find_request(who)).scope == request.scope
        for pair, each in people.delegations.items():
            state = self.chain.read(place.find_delegation(*pair))
            assert state.expires_at == each.expires_at
        repo = self.chain.read(place.repo)
        named = {"sponsor": people.sponsor, "pending_authority": people.pending}
        for field, who in named.items():
            assert getattr(repo, field) == (address_of(who) if who else NO_BRANCH)
        assert repo.authority == address_of(people.owner)
        assert repo.authority_epoch == people.epoch

    @invariant()
    def counts_agree_with_the_accounts(self) -> None:
        for name, branch in self.model.branches.items():
            for index, each in branch.rounds.items():
                if each.exists:
                    self.check_round(self.places[name], index, each)
                self.check_candidates(self.places[name], index, each)
        for who, (updates, merges, points) in self.model.counts.items():
            state = self.chain.read(self.place.find_contribution(who))
            assert (state.updates, state.merges, state.points) == (
                *(updates, merges, points),
            )

    def check_round(self, place: Place, index: int, expected: Round) -> None:
        state = self.chain.read(place.find_round(index))
        assert state.state == expected.state
        assert state.n_live == len(expected.updates)
        assert state.n_settled == expected.settled
        assert state.n_accumulated == len(expected.added)
        assert state.update_root == expected.root
        assert state.n_accepted == expected.n_accepted
        assert state.weight_sum == expected.sum
        for who, update in expected.updates.items():
            on_chain = self.chain.read(place.find_update(who, index))
            assert (on_chain.status, on_chain.weight) == (update.status, update.weight)
            assert on_chain.signer == address_of(update.signer)

    @invariant()
    def config_never_changes(self) -> None:
        assert self.chain.read(CONFIG).event_seq == 1

    def check(self) -> None:
        """Everything that always holds."""
        self.history_has_no_hole()
        self.branches_are_the_models()
        self.accounts_and_purses_are_the_models()
        self.counts_agree_with_the_accounts()
        self.people_are_the_models()
        self.config_never_changes()


def test_fixed_users_do_everything_and_never_break_the_model():
    # Hypothesis mixes in numbers that it finds in whatever modules are loaded, so what
    # its users reach changes with every other test. These take their own numbers.
    for counter in (PASSED, REFUSED, TOLD):
        counter.clear()
    for number in range(RUNS):
        machine = Rounds()
        seeds = random.Random(number)
        for _ in range(STEPS):
            machine.act(seeds.getrandbits(32))
            machine.check()

    # The users did everything, and rounds came to their end in each way.
    rare = {name: PASSED[name] for name in REACHED if PASSED[name] < 3}
    assert not rare, f"seldom or never passed: {rare} of {PASSED}"
    assert not [story for story in STORIES if TOLD[story] < 2], TOLD
    assert not [refusal for refusal in REFUSALS if not REFUSED[refusal]], REFUSED


def test_random_users_never_break_the_model():
    run_state_machine_as_test(
        Rounds,
        settings=settings(
            max_examples=RUNS // 2,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            # A failure tells its last step; making it smaller takes minutes.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
