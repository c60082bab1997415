"""Repositories, rounds and updates in any state, and a call of every instruction.

Everybody has another wallet: whoever pays rent never acts, so that no test passes only
because two roles fall together.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, Self

from solders.instruction import AccountMeta
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from program_harness.chain import (
    CONFIG,
    PROGRAM_DATA,
    SYSTEM_ID,
    Call,
    Chain,
    find_pda,
    wallet,
)

ZERO: Final = bytes(32)
NO_BRANCH: Final = Pubkey.from_bytes(ZERO)
GENESIS: Final = hashlib.sha256(b"genesis").digest()
POINTS: Final = 1000
DEPOSIT: Final = 5_000_000
OPEN, CLOSED, MERGED, ABORTED = 1, 2, 3, 4
PENDING, ACCEPTED, REJECTED, ACCUMULATED = 1, 2, 3, 4
ROOT, SNAPSHOT, REVERT = 0, 1, 2
CONTRIBUTE, MERGE, ATTEST, ADMINISTER = 1, 2, 4, 8
PARAMS: Final[Mapping[str, Any]] = {
    "bits": 16,
    "scale_exp": -20,
    "strategy": 1,
    "weight_cap": 64,
    "min_updates": 2,
    "max_updates": 4,
    "n_params": 10,
    "norm_bound_sq": 1 << 40,
    "eta_q24": 1 << 24,
    "round_length_s": 3600,
    "merge_grace_s": 7200,
    "challenge_s": 600,
    "deposit_lamports": DEPOSIT,
}

GOOD_NAMES: Final = [b"a", b"7", b"heart-disease", b"v1.0_rc-2", b"0..__--", b"x" * 64]
BAD_NAMES: Final = [
    *(b"", b".a", b"-a", b"_a", b"A", b"aB", b"a b", b"a/b", b"a\0", b"a\n"),
    *("ä".encode(), b"a\xff", b"a{", b"a`", b"a:", b"a@", b"a["),
]


def digest(text: str) -> bytes:
    """Gives a commit id or digest for a name."""
    return hashlib.sha256(text.encode()).digest()


def u32(number: int) -> bytes:
    """Little-endian, as in seeds."""
    return number.to_bytes(4, "little")


def u64(number: int) -> bytes:
    """Little-endian, as in seeds."""
    return number.to_bytes(8, "little")


def find_repo(creator: Pubkey, name: bytes) -> Pubkey:
    """Gives a repository's address."""
    return find_pda(b"repo", creator, hashlib.sha256(name).digest())


def config_create(chain: Chain, **arguments: Any) -> Call:
    """The upgrade authority makes the Config."""
    admin = chain.party("upgrade authority")
    return Call(
        "config_create",
        {
            "admin": admin.pubkey(),
            "config": CONFIG,
            "program_data": PROGRAM_DATA,
            "system": SYSTEM_ID,
        },
        {
            "treasury": wallet("treasury").pubkey(),
            "fee_bps": 250,
            "pause_bits": 0,
            "genesis_tag": GENESIS,
        }
        | arguments,
        {"admin": admin},
    )


def config_set(chain: Chain, **arguments: Any) -> Call:
    """The admin changes the Config."""
    admin = chain.party("upgrade authority")
    return Call(
        "config_set",
        {"admin": admin.pubkey(), "config": CONFIG},
        {"treasury": wallet("treasury").pubkey(), "fee_bps": 250, "pause_bits": 0}
        | arguments,
        {"admin": admin},
    )


def repo_create(chain: Chain, name: bytes = b"heart", creator: str = "owner") -> Call:
    """Somebody makes a repository."""
    payer, key = chain.party("payer"), chain.party(creator)
    return Call(
        "repo_create",
        {
            "payer": payer.pubkey(),
            "creator": key.pubkey(),
            "config": CONFIG,
            "repo": find_repo(key.pubkey(), name),
            "system": SYSTEM_ID,
        },
        {"name": name, "points_per_merge": POINTS},
        {"payer": payer, "creator": key},
    )


@dataclass(slots=True)
class Place:
    """A branch of a repository, and calls that act on it.

    Every call is valid where the state allows it; tests change it from there.
    """

    chain: Chain
    name: bytes = b"heart"
    branch_name: bytes = b"main"
    params: dict[str, Any] = field(default_factory=lambda: dict(PARAMS))
    policy_index: int = 0

    @property
    def owner(self) -> Keypair:
        """The authority."""
        return self.chain.party("owner")

    @property
    def payer(self) -> Keypair:
        """Pays rent."""
        return self.chain.party("payer")

    @property
    def anyone(self) -> Keypair:
        """Has no rights at all."""
        return self.chain.party("anyone")

    @property
    def repo(self) -> Pubkey:
        """The repository's address."""
        return find_repo(self.owner.pubkey(), self.name)

    @property
    def branch(self) -> Pubkey:
        """The branch's address."""
        return find_pda(b"branch", self.repo, hashlib.sha256(self.branch_name).digest())

    @property
    def policy(self) -> Pubkey:
        """Address of the branch's policy."""
        return self.find_policy(self.policy_index)

    @property
    def head(self) -> bytes:
        """The branch's head now."""
        head: bytes = self.chain.read(self.branch).head_commit
        return head

    @property
    def head_seq(self) -> int:
        """Number of moves now."""
        return int(self.chain.read(self.branch).head_seq)

    @property
    def round_index(self) -> int:
        """The live or the next round's index now."""
        return int(self.chain.read(self.branch).round_index)

    @property
    def round(self) -> Pubkey:
        """Address of the live or next round."""
        return self.find_round(self.round_index)

    def find_policy(self, index: int) -> Pubkey:
        """Gives a policy's address."""
        return find_pda(b"policy", self.repo, u32(index))

    def find_round(self, index: int) -> Pubkey:
        """Gives a round's address."""
        return find_pda(b"round", self.branch, u64(index))

    def find_role(self, grantee: Pubkey, branch: Pubkey | None = None) -> Pubkey:
        """Gives a role's address."""
        return find_pda(b"role", self.repo, branch or NO_BRANCH, grantee)

    def find_update(self, who: str, index: int | None = None) -> Pubkey:
        """Gives the address of somebody's update of a round."""
        at = self.round_index if index is None else index
        return find_pda(b"update", self.find_round(at), wallet(who).pubkey())

    def find_candidate(self, commit_id: bytes, index: int | None = None) -> Pubkey:
        """Gives a candidate's address."""
        at = self.round_index if index is None else index
        return find_pda(b"merge", self.find_round(at), commit_id)

    def find_contribution(self, who: str) -> Pubkey:
        """Gives the address of somebody's contribution."""
        return find_pda(b"contrib", self.repo, wallet(who).pubkey())

    def policy_create(self, **params: Any) -> Call:
        """The owner makes the next policy."""
        index = self.chain.read(self.repo).policy_count
        return Call(
            "policy_create",
            {
                "payer": self.payer.pubkey(),
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "policy": self.find_policy(index),
                "system": SYSTEM_ID,
            },
            {"params": self.params | params},
            {"payer": self.payer, "actor": self.owner},
        )

    def branch_create(self, *, protected: int = 0, first_round: int = 1) -> Call:
        """The owner makes the branch."""
        return Call(
            "branch_create",
            {
                "payer": self.payer.pubkey(),
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "policy": self.policy,
                "branch": self.branch,
                "system": SYSTEM_ID,
            },
            {
                "name": self.branch_name,
                "policy_index": self.policy_index,
                "protected": protected,
                "first_round": first_round,
            },
            {"payer": self.payer, "actor": self.owner},
        )

    def branch_set_policy(self, index: int) -> Call:
        """The owner names the policy of the next round."""
        return Call(
            "branch_set_policy",
            {
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "branch": self.branch,
                "policy": self.find_policy(index),
            },
            {"policy_index": index},
            {"actor": self.owner},
        )

    def branch_advance(self, kind: int, new_head: bytes) -> Call:
        """The owner moves the head from where it is."""
        return Call(
            "branch_advance",
            {
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "branch": self.branch,
            },
            {
                "kind": kind,
                "expected_head": self.head,
                "expected_seq": self.head_seq,
                "new_head": new_head,
            },
            {"actor": self.owner},
        )

    def role_grant(
        self,
        grantee: str,
        scope: int,
        *,
        branch: Pubkey | None = None,
        expires_at: int = 0,
    ) -> Call:
        """The owner gives a role."""
        address = self.chain.party(grantee).pubkey()
        return Call(
            "role_grant",
            {
                "payer": self.payer.pubkey(),
                "actor": self.owner.pubkey(),
                "role": None,
                "config": CONFIG,
                "repo": self.repo,
                "branch": branch,
                "new_role": self.find_role(address, branch),
                "system": SYSTEM_ID,
            },
            {"grantee": address, "scope": scope, "expires_at": expires_at},
            {"payer": self.payer, "actor": self.owner},
        )

    def role_revoke(self, grantee: str, *, branch: Pubkey | None = None) -> Call:
        """The owner takes a role back."""
        return Call(
            "role_revoke",
            {
                "actor": self.owner.pubkey(),
                "role": None,
                "repo": self.repo,
                "old_role": self.find_role(wallet(grantee).pubkey(), branch),
                "rent_payer": self.payer.pubkey(),
            },
            {},
            {"actor": self.owner},
        )

    def with_role(
        self,
        call: Call,
        who: str,
        scope: int,
        *,
        signer: str = "actor",
        branch: Pubkey | None = None,
        expires_at: int = 0,
    ) -> Call:
        """Grants a role and lets its holder make the call instead."""
        self.chain.send(
            self.role_grant(who, scope, branch=branch, expires_at=expires_at)
        )
        key = self.chain.party(who)
        role = self.find_role(key.pubkey(), branch)
        return call.signed_by(**{signer: key}).with_accounts(role=role)

    def round_open(self) -> Call:
        """The payer opens the next round."""
        opener = self.chain.party("round payer")
        return Call(
            "round_open",
            {
                "payer": opener.pubkey(),
                "config": CONFIG,
                "repo": self.repo,
                "branch": self.branch,
                "policy": self.policy,
                "round": self.round,
                "system": SYSTEM_ID,
            },
            {},
            {"payer": opener},
        )

    def _call(self, name: str, signers: Mapping[str, Keypair], **more: Any) -> Call:
        """A call whose accounts are the place's, save those given."""
        arguments = more.pop("arguments", {})
        known = {
            "config": CONFIG,
            "repo": self.repo,
            "branch": self.branch,
            "policy": self.policy,
            "system": SYSTEM_ID,
            "role": None,
            **{signer: key.pubkey() for signer, key in signers.items()},
            **more,
        }
        return Call(name, known, arguments, signers)

    def round_close(self) -> Call:
        """Anyone closes the live round."""
        return self._call("round_close", {"actor": self.anyone}, round=self.round)

    def round_abort(self, index: int | None = None) -> Call:
        """Anyone aborts a round."""
        at = self.round_index if index is None else index
        return self._call(
            "round_abort",
            {"actor": self.anyone},
            round=self.find_round(at),
            round_payer=wallet("round payer").pubkey(),
        )

    def update_push(self, who: str, *, weight: int = 1, commit: str = "") -> Call:
        """A contributor pushes; its sponsor pays."""
        key = self.chain.party(who)
        update = self.find_update(who)
        return self._call(
            "update_push",
            {"payer": self.payer, "contributor": key},
            round=self.round,
            update=update,
            contribution=self.find_contribution(who),
            arguments={
                "commit_id": digest(commit or f"{who} {self.round}"),
                "expected_base": self.head,
                "weight": weight,
                "payload_digest": digest(f"delta {who}"),
                "nonce": digest(f"nonce {who}")[:16],
            },
        )

    def update_withdraw(self, who: str) -> Call:
        """A contributor takes its update back."""
        return self._call(
            "update_withdraw",
            {"contributor": self.chain.party(who)},
            round=self.round,
            update=self.find_update(who),
            rent_payer=self.payer.pubkey(),
        )

    def update_reject(self, who: str, reason: int = 1) -> Call:
        """The owner strikes an update."""
        return self._call(
            "update_reject",
            {"authority": self.owner},
            round=self.round,
            update=self.find_update(who),
            arguments={"reason": reason},
        )

    def _ended(self, name: str, who: str, index: int | None) -> Call:
        at = self.round_index if index is None else index
        return self._call(
            name,
            {"actor": self.anyone},
            round=self.find_round(at),
            update=self.find_update(who, at),
            contribution=self.find_contribution(who),
            rent_payer=self.payer.pubkey(),
            round_payer=wallet("round payer").pubkey(),
        )

    def update_expire(self, who: str, index: int | None = None) -> Call:
        """Anyone closes an update of a round without merge."""
        return self._ended("update_expire", who, index)

    def update_settle(self, who: str, index: int | None = None) -> Call:
        """Anyone settles an update of a merged round."""
        return self._ended("update_settle", who, index)

    def merge_accumulate(self, who: Iterable[str]) -> Call:
        """Anyone adds updates, in the order given."""
        more = tuple(AccountMeta(self.find_update(name), False, True) for name in who)
        call = self._call("merge_accumulate", {"actor": self.anyone}, round=self.round)
        return Call(call.name, call.accounts, {}, call.signers, more)

    def merge_propose(self, commit: str = "merge") -> Call:
        """The owner proposes a merge commit."""
        return self._call(
            "merge_propose",
            {"payer": self.payer, "proposer": self.owner},
            proposer_update=None,
            round=self.round,
            candidate=self.find_candidate(digest(commit)),
            arguments={
                "commit_id": digest(commit),
                "expected_head": self.head,
                "expected_seq": self.head_seq,
            },
        )

    def merge_finalize(self, commit: str = "merge") -> Call:
        """Anyone makes a candidate the head."""
        return self._call(
            "merge_finalize",
            {"actor": self.anyone},
            round=self.round,
            candidate=self.find_candidate(digest(commit)),
            candidate_payer=self.payer.pubkey(),
            arguments={"expected_head": self.head, "expected_seq": self.head_seq},
        )

    def merge_expire(self, commit: str = "merge", index: int | None = None) -> Call:
        """Anyone closes a candidate of a finished round."""
        return self._call(
            "merge_expire",
            {"actor": self.anyone},
            candidate=self.find_candidate(digest(commit), index),
            candidate_payer=self.payer.pubkey(),
        )

    # States, each reached from the one before.

    def created(self) -> Self:
        """A repository with its policy and branch, without a head."""
        chain = self.chain
        if not chain.exists(CONFIG):
            chain.send(config_create(chain))
        if not chain.exists(self.repo):
            chain.send(repo_create(chain, self.name))
        if not chain.exists(self.policy):
            chain.send(self.policy_create())
        chain.send(self.branch_create())
        return self

    def rooted(self) -> Self:
        """A branch with its first head."""
        self.created()
        self.chain.send(self.branch_advance(ROOT, digest("root")))
        return self

    def opened(self, weights: Mapping[str, int] | Sequence[str] = ()) -> Self:
        """A live round with updates; from `rooted` where there is no branch yet."""
        if not self.chain.exists(self.branch):
            self.rooted()
        self.chain.send(self.round_open())
        for who in weights:
            weight = weights[who] if isinstance(weights, Mapping) else 1
            self.chain.send(self.update_push(who, weight=weight))
        return self

    def closed(self, weights: Mapping[str, int] | Sequence[str] = ("a", "b")) -> Self:
        """A closed round with updates."""
        self.opened(weights)
        self.chain.wait(self.params["round_length_s"])
        self.chain.send(self.round_close())
        return self

    def accumulated(
        self, weights: Mapping[str, int] | Sequence[str] = ("a", "b")
    ) -> Self:
        """A closed round whose updates are all added."""
        self.closed(weights)
        self.chain.send(self.merge_accumulate(ordered(weights)))
        return self

    def proposed(self, weights: Mapping[str, int] | Sequence[str] = ("a", "b")) -> Self:
        """An accumulated round with a candidate whose challenge time has passed."""
        self.accumulated(weights)
        self.chain.send(self.merge_propose())
        self.chain.wait(self.params["challenge_s"])
        return self

    def merged(self, weights: Mapping[str, int] | Sequence[str] = ("a", "b")) -> Self:
        """A merged round, nothing settled yet."""
        self.proposed(weights)
        self.chain.send(self.merge_finalize())
        return self

    def round_state(self, index: int | None = None) -> SimpleNamespace:
        """Fields of a round."""
        return self.chain.read(
            self.find_round(self.round_index if index is None else index)
        )


def ordered(weights: Mapping[str, int] | Sequence[str]) -> list[str]:
    """Contributors in the order of accumulation."""

    def rank(who: str) -> tuple[int, bytes]:
        weight = weights[who] if isinstance(weights, Mapping) else 1
        return -weight, bytes(wallet(who).pubkey())

    return sorted(weights, key=rank)


def make_place(**changes: Any) -> Place:
    """A branch on a fresh chain; nothing exists yet."""
    params = PARAMS | changes.pop("params", {})
    return Place(changes.pop("chain", None) or Chain(), params=dict(params), **changes)
