"""A branch of a repository: who acts there, and its addresses."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from program_harness.call import address_of, find_pda
from program_harness.chain import Chain
from program_harness.values import NO_BRANCH, PARAMS, u32, u64


def find_repo(creator: Pubkey, name: bytes) -> Pubkey:
    """Gives a repository's address."""
    return find_pda(b"repo", creator, hashlib.sha256(name).digest())


@dataclass(slots=True)
class Spot:
    """A branch of a repository.

    Attributes:
        params: of the policies that are made here.
        policy_index: of the branch's policy.
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
        return find_repo(address_of("owner"), self.name)

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

    def find_invite(self, key: str) -> Pubkey:
        """Gives the address of the invite that a key redeems."""
        return find_pda(b"invite", self.repo, address_of(key))

    def find_request(self, who: str) -> Pubkey:
        """Gives the address of somebody's request to join."""
        return find_pda(b"join", self.repo, address_of(who))

    def find_delegation(self, who: str, key: str) -> Pubkey:
        """Gives the address of somebody's delegation to a key."""
        return find_pda(b"delegate", self.repo, address_of(who), address_of(key))

    def find_update(self, who: str, index: int | None = None) -> Pubkey:
        """Gives the address of somebody's update of a round."""
        at = self.round_index if index is None else index
        return find_pda(b"update", self.find_round(at), address_of(who))

    def find_candidate(self, commit_id: bytes, index: int | None = None) -> Pubkey:
        """Gives a candidate's address."""
        at = self.round_index if index is None else index
        return find_pda(b"merge", self.find_round(at), commit_id)

    def find_contribution(self, who: str) -> Pubkey:
        """Gives the address of somebody's contribution."""
        return find_pda(b"contrib", self.repo, address_of(who))
