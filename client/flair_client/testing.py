"""Fakes and builders for everybody's tests: a chain of accounts in memory.

It answers reads and remembers what was sent; what the program does with it is tested
against the program itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flair_client.chain.accounts import (
    AttestationAccount,
    BranchAccount,
    DelegationAccount,
    InviteAccount,
    JoinRequestAccount,
    MergeCandidateAccount,
    PolicyAccount,
    PolicyParams,
    RepoAccount,
    RoleAccount,
    RoundAccount,
    RoundState,
    Scope,
    UpdateAccount,
    UpdateStatus,
)
from flair_client.chain.instructions import Instruction, account_flags
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_branch_pda,
    find_policy_pda,
    find_repo_pda,
    find_round_pda,
)
from flair_client.chain.sending import TxResult
from flair_client.chain.signer import KeypairSigner, Signer
from flair_client.errors import AccountMissing
from flair_client.ids import ZERO_ADDRESS, Address, CommitId, Digest
from flair_client.repo_address import RepoAddress

NOW: Final = 1_700_000_000
OWNER: Final = KeypairSigner(bytes([1]) * 32)
ADMIN: Final = KeypairSigner(bytes([2]) * 32)
ALICE: Final = KeypairSigner(bytes([3]) * 32)
BOB: Final = KeypairSigner(bytes([4]) * 32)
ADDRESS: Final = RepoAddress("localnet", OWNER.address, "heart")
REPO: Final = find_repo_pda(OWNER.address, "heart")[0]
MAIN: Final = find_branch_pda(REPO, "main")[0]
HEAD: Final = CommitId(bytes([7]) * 32)
NO_DIGEST: Final = Digest(bytes(32))
NO_COMMIT: Final = CommitId(bytes(32))
PARAMS: Final = PolicyParams(
    bits=16,
    scale_exp=-13,
    weight_cap=256,
    min_updates=2,
    max_updates=4,
    n_params=4,
    norm_bound_sq=2**28,
    eta_q24=2**24,
    round_length_s=100,
    merge_grace_s=9,
    challenge_s=7,
)


def make_repo(**changes: Any) -> RepoAccount:
    """Gives OWNER's repository `heart`."""
    values: dict[str, Any] = {
        "bump": 255,
        "listed": 0,
        "name": "heart",
        "creator": OWNER.address,
        "authority": OWNER.address,
        "pending_authority": ZERO_ADDRESS,
        "authority_epoch": 0,
        "policy_count": 1,
        "mint": ZERO_ADDRESS,
        "event_seq": 5,
        "history_root": Digest(bytes([9]) * 32),
        "points_total": 0,
        "points_per_merge": 100,
        "keyring_digest": NO_DIGEST,
        "created_at": NOW,
    }
    return RepoAccount(**(values | changes))


def make_policy(index: int = 0, params: PolicyParams = PARAMS) -> PolicyAccount:
    """Gives one of its policies."""
    return PolicyAccount(
        bump=255,
        index=index,
        repo=REPO,
        params=params,
        created_at=NOW,
        digest=Digest(bytes([index]) * 32),
    )


def make_branch(name: str = "main", **changes: Any) -> BranchAccount:
    """Gives one of its branches, with round 1 in progress."""
    values: dict[str, Any] = {
        "bump": 255,
        "protected": False,
        "name": name,
        "repo": REPO,
        "head_commit": HEAD,
        "head_seq": 1,
        "round_index": 1,
        "round_live": True,
        "policy_index": 0,
        "created_at": NOW,
    }
    return BranchAccount(**(values | changes))


def make_role(
    grantee: Signer, scope: Scope = Scope.CONTRIBUTE, **changes: Any
) -> RoleAccount:
    """Gives a role for the whole repository."""
    values: dict[str, Any] = {
        "bump": 255,
        "scope": scope,
        "repo": REPO,
        "branch": ZERO_ADDRESS,
        "grantee": grantee.address,
        "granted_by": OWNER.address,
        "rent_payer": OWNER.address,
        "expires_at": 0,
        "authority_epoch": 0,
    }
    return RoleAccount(**(values | changes))


def make_round(index: int = 1, **changes: Any) -> RoundAccount:
    """Gives an open round of branch `main` without updates."""
    values: dict[str, Any] = {
        "bump": 255,
        "state": RoundState.OPEN,
        "repo": REPO,
        "branch": MAIN,
        "policy": find_policy_pda(REPO, 0)[0],
        "policy_index": 0,
        "round_index": index,
        "base_commit": HEAD,
        "base_seq": 1,
        "opened_at": NOW,
        "deadline": NOW + 100,
        "closed_at": 0,
        "n_live": 0,
        "n_accepted": 0,
        "n_accumulated": 0,
        "n_settled": 0,
        "weight_sum": 0,
        "weight_accumulated": 0,
        "last_weight": 0,
        "last_contributor": ZERO_ADDRESS,
        "update_root": NO_DIGEST,
        "merge_commit": NO_COMMIT,
        "points_each": 0,
        "payer": OWNER.address,
    }
    return RoundAccount(**(values | changes))


def make_invite(invite_key: Signer, **changes: Any) -> InviteAccount:
    """Gives an invite to contribute, made by the owner; ADMIN paid its rent."""
    values: dict[str, Any] = {
        "bump": 255,
        "scope": Scope.CONTRIBUTE,
        "repo": REPO,
        "branch": ZERO_ADDRESS,
        "key": invite_key.address,
        "created_by": OWNER.address,
        "rent_payer": ADMIN.address,
        "expires_at": NOW + 3600,
        "role_expires_at": 0,
        "uses_left": 1,
        "authority_epoch": 0,
    }
    return InviteAccount(**(values | changes))


def make_join_request(applicant: Signer, **changes: Any) -> JoinRequestAccount:
    """Gives a request to contribute, without a note."""
    values: dict[str, Any] = {
        "bump": 255,
        "scope": Scope.CONTRIBUTE,
        "repo": REPO,
        "branch": ZERO_ADDRESS,
        "applicant": applicant.address,
        "rent_payer": applicant.address,
        "note_digest": NO_DIGEST,
        "requested_at": NOW,
    }
    return JoinRequestAccount(**(values | changes))


def make_delegation(
    wallet: Signer, machine_key: Signer, **changes: Any
) -> DelegationAccount:
    """Gives a delegation of an hour."""
    values: dict[str, Any] = {
        "bump": 255,
        "repo": REPO,
        "wallet": wallet.address,
        "key": machine_key.address,
        "rent_payer": wallet.address,
        "created_at": NOW,
        "expires_at": NOW + 3600,
    }
    return DelegationAccount(**(values | changes))


def make_update(
    contributor: Signer, weight: int = 1, index: int = 1, **changes: Any
) -> UpdateAccount:
    """Gives an accepted update of a round of branch `main`; ADMIN paid its rent."""
    values: dict[str, Any] = {
        "bump": 255,
        "status": UpdateStatus.ACCEPTED,
        "reject_reason": 0,
        "proof_verdict": 0,
        "n_columns": 0,
        "weight": weight,
        "repo": REPO,
        "branch": MAIN,
        "round": find_round_pda(MAIN, index)[0],
        "contributor": contributor.address,
        "commit_id": CommitId(contributor.address.raw),
        "payload_digest": Digest(bytes([6]) * 32),
        "statement_digest": NO_DIGEST,
        "nonce": bytes(16),
        "pushed_at": NOW,
        "deposit_lamports": 0,
        "rent_payer": ADMIN.address,
        "signer": contributor.address,
    }
    return UpdateAccount(**(values | changes))


def make_candidate(index: int = 1, **changes: Any) -> MergeCandidateAccount:
    """Gives a merge that BOB proposed."""
    values: dict[str, Any] = {
        "bump": 255,
        "approvals": 0,
        "attestations": 0,
        "repo": REPO,
        "branch": MAIN,
        "round": find_round_pda(MAIN, index)[0],
        "round_index": index,
        "commit_id": CommitId(bytes([8]) * 32),
        "proposer": BOB.address,
        "payer": BOB.address,
        "proposed_at": NOW,
        "authority_epoch": 0,
        "votes_epoch": 0,
    }
    return MergeCandidateAccount(**(values | changes))


@dataclass(slots=True)
class MemoryChain:
    """Answers like `ChainClient`, from accounts that a test puts in.

    Attributes:
        sent: every instruction that was sent, in order.
    """

    repo_account: RepoAccount | None = field(default_factory=make_repo)
    policy_accounts: list[PolicyAccount] = field(
        default_factory=lambda: [make_policy()]
    )
    branch_accounts: list[BranchAccount] = field(
        default_factory=lambda: [make_branch()]
    )
    role_accounts: list[RoleAccount] = field(default_factory=list)
    round_accounts: list[RoundAccount] = field(default_factory=list)
    update_accounts: list[UpdateAccount] = field(default_factory=list)
    candidate_accounts: list[MergeCandidateAccount] = field(default_factory=list)
    attestation_accounts: list[AttestationAccount] = field(default_factory=list)
    request_accounts: list[JoinRequestAccount] = field(default_factory=list)
    sent: list[Instruction] = field(default_factory=list)

    def repo(self, address: Address) -> RepoAccount:
        """As `ChainClient.repo`."""
        if self.repo_account is None or address != REPO:
            raise AccountMissing(address, "repo")
        return self.repo_account

    def repos(self, creator: Address | None = None) -> list[RepoAccount]:
        """As `ChainClient.repos`."""
        found = self.repo_account
        mine = found is not None and creator in (None, found.creator)
        return [found] if found is not None and mine else []

    def branch(self, repo: Address, name: str) -> BranchAccount:
        """As `ChainClient.branch`."""
        for account in self.branch_accounts:
            if account.name == name:
                return account
        raise AccountMissing(find_branch_pda(repo, name)[0], "branch")

    def branches(self, repo: Address) -> list[BranchAccount]:
        """As `ChainClient.branches`."""
        return [account for account in self.branch_accounts if account.repo == repo]

    def policy(self, repo: Address, index: int) -> PolicyAccount:
        """As `ChainClient.policy`."""
        for account in self.policy_accounts:
            if account.index == index:
                return account
        raise AccountMissing(find_policy_pda(repo, index)[0], "policy")

    def round(self, branch: Address, round_index: int) -> RoundAccount | None:
        """As `ChainClient.round`."""
        for account in self.round_accounts:
            if (account.branch, account.round_index) == (branch, round_index):
                return account
        return None

    def updates(self, round_address: Address) -> list[UpdateAccount]:
        """As `ChainClient.updates`."""
        found = [one for one in self.update_accounts if one.round == round_address]
        return sorted(found, key=lambda one: (-one.weight, one.contributor))

    def update(
        self, round_address: Address, contributor: Address
    ) -> UpdateAccount | None:
        """As `ChainClient.update`."""
        for account in self.updates(round_address):
            if account.contributor == contributor:
                return account
        return None

    def candidates(self, round_address: Address) -> list[MergeCandidateAccount]:
        """As `ChainClient.candidates`."""
        return [one for one in self.candidate_accounts if one.round == round_address]

    def branch_attestations(self, branch: Address) -> list[AttestationAccount]:
        """As `ChainClient.branch_attestations`."""
        found = self.attestation_accounts
        return [one for one in found if one.branch == branch]

    def roles(self, repo: Address) -> list[RoleAccount]:
        """As `ChainClient.roles`."""
        return [account for account in self.role_accounts if account.repo == repo]

    def join_request(
        self, repo: Address, applicant: Address
    ) -> JoinRequestAccount | None:
        """As `ChainClient.join_request`."""
        for one in self.request_accounts:
            if (one.repo, one.applicant) == (repo, applicant):
                return one
        return None

    def role_for(
        self, repo: Address, branch: Address | None, grantee: Address
    ) -> RoleAccount | None:
        """As `ChainClient.role_for`."""
        place = ZERO_ADDRESS if branch is None else branch
        for role in self.roles(repo):
            if (role.branch, role.grantee) == (place, grantee):
                return role
        return None

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Signer],  # noqa: ARG002 - as the real one
        *,
        compute_units: int | None = None,  # noqa: ARG002 - as the real one
        publish: Callable[[bytes], None] | None = None,  # noqa: ARG002 - as the real one
    ) -> TxResult:
        """Remembers the instructions; changes nothing."""
        self.sent += instructions
        return TxResult(
            signature=f"signature {len(self.sent)}",
            slot=len(self.sent),
            events=[],
            compute_units=0,
            fee_lamports=0,
        )

    def sent_account(self, name: str, position: int = -1) -> Address | None:
        """Gives the address that a sent instruction names; None where left out."""
        instruction = self.sent[position]
        names = [item for item, _ in account_flags(instruction.name)]
        address = instruction.accounts[names.index(name)].address
        return None if address == PROGRAM_ID else address
