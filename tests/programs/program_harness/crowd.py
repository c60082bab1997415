"""Random users: what they can do with rounds, each call judged by the model.

Each method makes a call, predicts whether it passes, and has the model follow.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

from program_harness.call import Call, address_of
from program_harness.membership import Membership
from program_harness.model import Model
from program_harness.protocol import PROGRAM_ID, decode_event, event_root
from program_harness.records import Branch, Policy
from program_harness.refusal import IN_USE, error_of, name_of
from program_harness.values import POINTS, ROOT, digest
from program_harness.world import Place, make_place

USERS: Final = ("u0", "u1", "u2", "u3", "owner")
PAYERS: Final = ("p0", "p1")
MACHINES: Final = ("m0", "m1", "u1")
KEYS: Final = ("k0", "k1", "k2")
# Branches with the policy of their first round.
NAMES: Final = {"main": 0, "side": 4, "guarded": 3}
# The owner alone moves it.
PROTECTED: Final = "guarded"
POLICIES: Final = (
    {"min_updates": 2, "max_updates": 4, "deposit_lamports": 3},
    {
        "min_updates": 1,
        "max_updates": 3,
        "challenge_s": 0,
        "eta_q24": 7,
        "deposit_lamports": 1_000_000_000,
        "contribute": 1,
    },
    {"min_updates": 1, "max_updates": 2, "approvals_needed": 1},
    {
        "min_updates": 2,
        "max_updates": 3,
        "challenge_s": 0,
        "approvals_needed": 1,
        "attestations_needed": 1,
    },
)
TIMES: Final = {"round_length_s": 300, "merge_grace_s": 900, "challenge_s": 30}

# Calls that passed, by instruction; refusals, by instruction and error; and what came
# about that takes several calls.
PASSED: Final[Counter[str]] = Counter()
REFUSED: Final[Counter[tuple[str, str]]] = Counter()
TOLD: Final[Counter[str]] = Counter()


class Crowd:
    """Three branches of a repository, five users, and the model of them."""

    def __init__(self) -> None:
        super().__init__()
        place = make_place(params=TIMES)
        self.place, self.chain = place, place.chain
        self.places: dict[str, Place] = {}
        for name, index in NAMES.items():
            self.places[name] = Place(
                self.chain, place.name, name.encode(), place.params, index
            )
        self.places["main"].rooted()
        for changes in POLICIES:
            self.chain.send(place.policy_create(**changes))
        self.places["side"].rooted()
        guarded = self.places[PROTECTED]
        self.chain.send(guarded.branch_create(protected=1))
        self.chain.send(guarded.branch_advance(ROOT, digest("root")))
        for name in (*USERS, *PAYERS):
            self.chain.party(name)
        self.model = Model(
            Membership("owner"),
            [policy({}), *map(policy, POLICIES)],
            {name: bytes(address_of(name)) for name in USERS},
            POINTS,
            self.chain.now,
            {
                name: Branch(digest("root"), index, protected=name == PROTECTED)
                for name, index in NAMES.items()
            },
        )
        repo = self.chain.read(place.repo)
        self.seq, self.root = repo.event_seq, repo.history_root
        self.fixed = set(self.addresses())
        self.moves = self.steps = 0
        # Whoever was killed proposes and attests nothing any more.
        self.killed: set[str] = set()
        self.purses = {name: self.balance(name) for name in (*USERS, *PAYERS)}

    def balance(self, name: str) -> int:
        """Lamports of a wallet."""
        return self.chain.lamports(address_of(name))

    def addresses(self) -> list[Pubkey]:
        """The program's accounts."""
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

    def role_account(self, branch: str, who: str) -> Pubkey | None:
        """Address of the role that somebody brings along, for a branch or all."""
        key = self.model.people.role_for(branch, who)
        if key is None:
            return None
        place = self.places[key[0]] if key[0] else self.place
        at = place.branch if key[0] else None
        return place.find_role(address_of(who), at)

    def send(self, call: Call, broken: Sequence[str]) -> dict[str, object] | None:
        """Sends a call and compares with the prediction; gives the event's fields."""
        transaction = self.chain.transaction(call)
        result = self.chain.svm.send_transaction(transaction)
        if isinstance(result, TransactionMetadata):
            assert not broken, f"{call.name} passed, but {broken}"
            PASSED[call.name] += 1
            return self.fold(result, call)
        error = error_of(result)
        expected = "in use" if error == IN_USE else name_of(error)
        REFUSED[call.name, expected] += 1
        assert [expected] == list(broken[:1]), (
            f"{call.name} was refused with {expected}, not {broken}"
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
        bool(params.get("contribute")),
        params.get("approvals_needed", 0),
        params.get("attestations_needed", 0),
    )
