"""Random users over hundreds of steps, judged by a model in plain Python.

Every call is predicted: it passes and changes exactly what the model changes, or it is
refused for a rule that the model says is broken, and changes nothing.
"""

import inspect
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from program_harness.chain import (
    CONFIG,
    DUPLICATE,
    IN_USE,
    Call,
    error_of,
    name_of,
    wallet,
)
from program_harness.model import Branch, Candidate, Model, Policy, Round, Update
from program_harness.protocol import (
    ACCOUNTS,
    INSTRUCTIONS,
    PROGRAM_ID,
    decode_account,
    decode_event,
    event_root,
)
from program_harness.world import (
    MERGE,
    POINTS,
    REVERT,
    SNAPSHOT,
    Place,
    digest,
    make_place,
)
from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

USERS: Final = ("u0", "u1", "u2", "u3", "owner")
PAYERS: Final = ("p0", "p1")
NAMES: Final = ("main", "side")
POLICIES: Final = (
    {"min_updates": 2, "max_updates": 4, "deposit_lamports": 3},
    {
        "min_updates": 1,
        "max_updates": 3,
        "challenge_s": 0,
        "eta_q24": 7,
        "deposit_lamports": 1_000_000_000,
    },
)
TIMES: Final = {"round_length_s": 300, "merge_grace_s": 900, "challenge_s": 30}
OTHER_WORDS: Final = {"in use": IN_USE, "duplicate": DUPLICATE}

PASSED: Final[Counter[str]] = Counter()
# What the start calls, and not the users.
REACHED: Final = sorted(
    set(INSTRUCTIONS)
    - {"config_create", "config_set", "repo_create", "policy_create", "branch_create"}
)

# What users do, and how often.
ACTIONS: Final = {
    "push": 12,
    "wait": 5,
    "accumulate": 8,
    "settle": 8,
    "close_round": 5,
    "propose": 4,
    "finalize": 4,
    "expire": 4,
    "open_round": 4,
    "withdraw": 1,
    "reject": 1,
    "abort_round": 1,
    "expire_candidate": 1,
    "set_policy": 1,
    "make_merger": 1,
    "unmake_merger": 1,
    "move_head": 1,
}


class Rounds(RuleBasedStateMachine):
    """Two branches of a repository, their rounds and five users."""

    @initialize()
    def start(self) -> None:
        self.place = make_place(params=TIMES)
        place, self.chain = self.place, self.place.chain
        self.places: dict[str, Place] = {}
        for name in NAMES:
            branch = Place(self.chain, place.name, name.encode(), place.params)
            self.places[name] = branch
        self.places["main"].rooted()
        self.chain.send(place.policy_create(**POLICIES[0]))
        self.chain.send(place.policy_create(**POLICIES[1]))
        self.places["side"].rooted()
        for name in (*USERS, *PAYERS):
            self.chain.party(name)
        self.model = Model(
            "owner",
            [policy({}), policy(POLICIES[0]), policy(POLICIES[1])],
            {name: bytes(wallet(name).pubkey()) for name in USERS},
            POINTS,
            self.chain.now,
            {name: Branch(digest("root")) for name in NAMES},
        )
        repo = self.chain.read(place.repo)
        self.seq, self.root = repo.event_seq, repo.history_root
        self.fixed = set(self.addresses())
        self.moves = self.steps = 0
        self.purses = {name: self.balance(name) for name in (*USERS, *PAYERS)}

    # What the rules need.

    def balance(self, name: str) -> int:
        return self.chain.lamports(wallet(name).pubkey())

    def addresses(self) -> list[Pubkey]:
        accounts = self.chain.svm.get_program_accounts(PROGRAM_ID)
        return [address for address, _ in accounts]

    def fresh(self) -> bytes:
        """A commit id that was never used."""
        self.moves += 1
        return digest(f"commit {self.moves}")

    def pick(self, name: str, age: int) -> tuple[Place, Branch, int] | None:
        """A round of a branch that still exists, `age` rounds back."""
        branch = self.model.branches[name]
        known = [index for index, each in branch.rounds.items() if each.exists]
        if not known:
            return None
        return self.places[name], branch, known[-1 - min(age, len(known) - 1)]

    def send(self, call: Call, broken: Sequence[str]) -> dict[str, object] | None:
        """Sends a call and compares with the prediction; gives the event's fields."""
        transaction = self.chain.transaction(call)
        result = self.chain.svm.send_transaction(transaction)
        if isinstance(result, TransactionMetadata):
            assert not broken, f"{call.name} passed, but {broken}"
            PASSED[call.name] += 1
            return self.fold(result, call)
        error = error_of(result)
        expected = [OTHER_WORDS.get(name, name) for name in broken]
        assert error in expected or name_of(error) in expected, (
            f"{call.name} was refused with {name_of(error)}, not {broken}"
        )
        return None

    def fold(self, result: TransactionMetadata, call: Call) -> dict[str, object]:
        """Adds the one event to the chain of events."""
        events = [
            bytes(inner.instruction().data[8:])
            for group in result.inner_instructions()
            for inner in group
            if inner.instruction().data[:4] == bytes.fromhex("e445a52e")
        ]
        assert len(events) == 1, call.name
        _, event = decode_event(events[0])
        assert (event.repo_seq, event.prev_root) == (self.seq + 1, self.root)
        self.seq, self.root = event.repo_seq, event_root(events[0])
        return vars(event)

    # What users do.

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
        }
        method = getattr(self, action)
        wanted = inspect.signature(method).parameters
        method(**{name: values[name] for name in wanted})

    def wait(self, seconds: int) -> None:
        self.chain.wait(seconds)
        self.model.now = self.chain.now

    def open_round(self, name: str, payer: str) -> None:
        place, branch = self.places[name], self.model.branches[name]
        place.policy_index = branch.policy_index
        call = place.round_open().signed_by(payer=wallet(payer))
        if self.send(call, self.model.reasons_open(branch)):
            self.model.open(branch, payer)

    def set_policy(self, name: str, index: int) -> None:
        self.send(self.places[name].branch_set_policy(index), [])
        self.model.branches[name].policy_index = index

    def push(  # noqa: PLR0917 - passed by name
        self, name: str, age: int, who: str, payer: str, weight: int, stale: bool
    ) -> None:
        picked = self.pick(name, age)
        if picked is None:
            return
        place, branch, index = picked
        chosen = branch.rounds[index]
        commit = self.fresh()
        base = digest("stale") if stale else chosen.base
        call = self.on(place, "update_push", index, who).signed_by(
            payer=wallet(payer), contributor=wallet(who)
        )
        call = call.with_arguments(weight=weight, commit_id=commit, expected_base=base)
        if self.send(call, self.model.reasons_push(branch, index, who, base)):
            deposit = chosen.policy.deposit
            update = Update(weight, commit, payer, deposit)
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
            call = call.with_accounts(rent_payer=wallet(update.payer).pubkey())
        if "round_payer" in call.accounts:
            call = call.with_accounts(round_payer=wallet(chosen.payer).pubkey())
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

    def withdraw(self, name: str, age: int, who: str) -> None:
        picked = self.with_update(name, age, who)
        if picked is None:
            return
        place, branch, index, who = picked
        call = self.on(place, "update_withdraw", index, who)
        if self.send(call, self.model.reasons_withdraw(branch, index, who)):
            self.model.withdraw(branch.rounds[index], who)

    def reject(self, name: str, age: int, who: str, by: str) -> None:
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
        picked = self.pick(name, age)
        if picked is None:
            return
        place, branch, index = picked
        chosen = branch.rounds[index]
        call = place.round_abort(index).with_accounts(
            policy=place.find_policy(chosen.policy_index),
            round_payer=wallet(chosen.payer).pubkey(),
        )
        reason = self.model.abort_reason(branch, index)
        refusals = ["RoundNotAbortable", "RoundNotLive", "RoundMerged"]
        event = self.send(call, [] if reason else refusals)
        if event:
            assert event["reason"] == reason
            self.model.abort(branch, index)

    def accumulate(
        self, name: str, age: int, count: int, order: Sequence[str] | None
    ) -> None:
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
        held = who in self.model.mergers
        call = self.place.role_grant(who, MERGE)
        if self.send(call, ["in use"] if held else []):
            self.model.mergers.add(who)

    def unmake_merger(self) -> None:
        if self.model.mergers:
            who = min(self.model.mergers)
            self.send(self.place.role_revoke(who), [])
            self.model.mergers.remove(who)

    def propose(self, name: str, age: int, who: str, payer: str, again: bool) -> None:
        picked = self.pick(name, age)
        if picked is None:
            return
        place, branch, index = picked
        chosen = branch.rounds[index]
        commit = self.fresh()
        if again and chosen.candidates:
            commit = min(chosen.candidates)
        role = place.find_role(wallet(who).pubkey())
        call = place.merge_propose().signed_by(
            payer=wallet(payer), proposer=wallet(who)
        )
        call = call.with_arguments(commit_id=commit).with_accounts(
            policy=place.find_policy(chosen.policy_index),
            round=place.find_round(index),
            candidate=place.find_candidate(commit, index),
            role=role if who in self.model.mergers else None,
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
        picked = self.pick(name, age)
        if picked is None or not picked[1].rounds[picked[2]].candidates:
            return None
        return *picked, max(picked[1].rounds[picked[2]].candidates)

    def finalize(self, name: str, age: int) -> None:
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
        picked = self.with_update(name, age, who)
        if picked is None:
            return
        place, branch, index, who = picked
        call = self.on(place, "update_expire", index, who)
        if self.send(call, self.model.reasons_expire(branch, index)):
            self.model.drop(branch.rounds[index], who)

    def settle(self, name: str, age: int, who: str) -> None:
        picked = self.with_update(name, age, who)
        if picked is None:
            return
        place, branch, index, who = picked
        call = self.on(place, "update_settle", index, who)
        event = self.send(call, self.model.reasons_settle(branch, index))
        if event:
            assert event["points"] == self.model.settle(branch.rounds[index], who)

    def move_head(self, name: str, stale: bool, kind: int) -> None:
        place, branch = self.places[name], self.model.branches[name]
        head = self.fresh()
        call = place.branch_advance(kind, head)
        if stale:
            call = call.with_arguments(expected_seq=branch.seq - 1)
        if self.send(call, ["HeadMoved"] if stale else []):
            self.model.advance(branch, head)

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
        kept += [
            ("payer", place.find_role(wallet(who).pubkey()))
            for who in self.model.mergers
        ]
        return kept

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

    @invariant()
    def config_never_changes(self) -> None:
        assert self.chain.read(CONFIG).event_seq == 1


def policy(changes: dict[str, int]) -> Policy:
    """The model's policy for parameters of the world."""
    params = {**make_place(chain=object(), params=TIMES).params, **changes}
    return Policy(
        params["min_updates"],
        params["max_updates"],
        params["round_length_s"],
        params["merge_grace_s"],
        params["challenge_s"],
        params["deposit_lamports"],
        params["eta_q24"],
    )


def test_random_users_never_break_the_model():
    PASSED.clear()

    run_state_machine_as_test(
        Rounds,
        settings=settings(
            max_examples=8,
            stateful_step_count=400,
            deadline=None,
            derandomize=True,
            database=None,
            # A failure tells its last step; making it smaller takes minutes.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )

    # The users did everything, and rounds came to their end in each way.
    rare = {name: PASSED[name] for name in REACHED if PASSED[name] < 3}
    assert not rare, f"seldom or never passed: {rare} of {PASSED}"
