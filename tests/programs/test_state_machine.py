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
from program_harness.call import CONFIG, wallet
from program_harness.crowd import KEYS, MACHINES, NAMES, PASSED, PAYERS, USERS
from program_harness.joiners import Joiners
from program_harness.model import Round
from program_harness.protocol import ACCOUNTS, INSTRUCTIONS, PROGRAM_ID, decode_account
from program_harness.values import NO_BRANCH, REVERT, SNAPSHOT
from program_harness.world import Place
from solders.pubkey import Pubkey

# What the start calls, and not the users.
OTHERS: Final = {
    *("config_create", "config_set", "repo_create", "policy_create", "branch_create"),
    # Their own story: test_authority.py.
    *("authority_offer", "authority_accept"),
    # test_branch_merge.py.
    "branch_merge",
    # test_merge_votes.py.
    *("merge_approve", "merge_attest", "attestation_expire"),
}
REACHED: Final = sorted(set(INSTRUCTIONS) - OTHERS)

RUNS: Final = 8
STEPS: Final = 450

# What users do, and how often.
ACTIONS: Final = {
    "push": 12,
    "wait": 5,
    "accumulate": 8,
    "settle": 8,
    "close_round": 5,
    "propose": 4,
    "finalize": 6,
    "expire": 4,
    "open_round": 4,
    "withdraw": 2,
    "reject": 1,
    "abort_round": 1,
    "expire_candidate": 2,
    "set_policy": 1,
    "make_merger": 1,
    "drop_role": 1,
    "invite": 3,
    "redeem": 4,
    "revoke_invite": 2,
    "ask": 1,
    "answer": 3,
    "delegate": 2,
    "undelegate": 1,
    "push_by": 1,
    "push_for": 4,
    "set_sponsor": 1,
    "move_head": 1,
}


class Rounds(Joiners, RuleBasedStateMachine):
    """The users, one action a step."""

    @rule(seed=st.integers(0, 2**32 - 1))
    def act(self, seed: int) -> None:
        """One action: what is common in a round is common here."""
        self.steps += 1
        draw = random.Random(f"{seed} {self.steps}")
        (action,) = draw.choices(list(ACTIONS), list(ACTIONS.values()))
        values = {
            "name": draw.choice(NAMES),
            # Mostly the live round, sometimes an old one.
            "age": draw.choice([0, 0, 0, 0, 1, 2]),
            "who": draw.choice(USERS),
            "payer": draw.choice(PAYERS),
            "weight": draw.choice([1, 2, 4, 64]),
            "seconds": draw.choice([1, 29, 30, 31, 60, 240]),
            "index": draw.randrange(3),
            "by": draw.choice(["owner", "owner", "u0"]),
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
        method = getattr(self, action)
        wanted = inspect.signature(method).parameters
        method(**{name: values[name] for name in wanted})

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
            kept.append((role.payer, place.find_role(wallet(who).pubkey(), branch)))
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
            state = self.chain.read(place.find_role(wallet(who).pubkey(), branch))
            assert (state.scope, state.expires_at) == (role.scope, role.expires_at)
        for key, invite in people.invites.items():
            state = self.chain.read(place.find_invite(key))
            assert 1 <= state.uses_left == invite.uses_left
            assert state.created_by == wallet(invite.by).pubkey()
        for who, request in people.requests.items():
            assert self.chain.read(place.find_request(who)).scope == request.scope
        for pair, each in people.delegations.items():
            state = self.chain.read(place.find_delegation(*pair))
            assert state.expires_at == each.expires_at
        sponsor = self.chain.read(place.repo).sponsor
        named = people.sponsor
        assert sponsor == (wallet(named).pubkey() if named else NO_BRANCH)

    @invariant()
    def counts_agree_with_the_accounts(self) -> None:
        for name, branch in self.model.branches.items():
            for index, each in branch.rounds.items():
                if each.exists:
                    self.check_round(self.places[name], index, each)
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
            assert on_chain.signer == wallet(update.signer).pubkey()

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
    PASSED.clear()
    for number in range(RUNS):
        machine = Rounds()
        seeds = random.Random(number)
        for _ in range(STEPS):
            machine.act(seeds.getrandbits(32))
            machine.check()

    # The users did everything, and rounds came to their end in each way.
    rare = {name: PASSED[name] for name in REACHED if PASSED[name] < 3}
    assert not rare, f"seldom or never passed: {rare} of {PASSED}"


def test_random_users_never_break_the_model():
    run_state_machine_as_test(
        Rounds,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            # A failure tells its last step; making it smaller takes minutes.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
