"""The chain as Flair uses it: typed reads, and instructions sent until confirmed.

Every account read is checked to be the one asked for: its address must follow from
its own contents.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from flair_client.chain.accounts import (
    ACCOUNT_NAMES,
    AttestationAccount,
    BranchAccount,
    ConfigAccount,
    ContributionAccount,
    DelegationAccount,
    InviteAccount,
    JoinRequestAccount,
    MergeCandidateAccount,
    PolicyAccount,
    RawAccount,
    RepoAccount,
    RoleAccount,
    RoundAccount,
    UpdateAccount,
    account_discriminator,
    account_offset,
    account_size,
    decode_account_as,
)
from flair_client.chain.events import EventBytes, event_block
from flair_client.chain.history import fetch_events, whole_events
from flair_client.chain.instructions import Instruction
from flair_client.chain.own_address import own_address
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_attestation_pda,
    find_branch_pda,
    find_candidate_pda,
    find_config_pda,
    find_contribution_pda,
    find_delegation_pda,
    find_invite_pda,
    find_join_request_pda,
    find_policy_pda,
    find_role_pda,
    find_round_pda,
    find_update_pda,
)
from flair_client.chain.rpc import AccountFilter, Rpc
from flair_client.chain.sending import TxResult, send_instructions, wait_confirmed
from flair_client.chain.signer import Signer
from flair_client.errors import AccountInvalid, AccountMissing
from flair_client.ids import Address, CommitId

_T = TypeVar("_T")


class ChainClient:
    """One program on one cluster."""

    def __init__(self, rpc: Rpc, program_id: Address = PROGRAM_ID) -> None:
        self.rpc = rpc
        self.program_id = program_id

    def close(self) -> None:
        """Closes the connections."""
        self.rpc.close()

    def config(self) -> ConfigAccount:
        """Gives the program's settings.

        Raises:
            AccountMissing: the program is not set up.
            AccountInvalid: the account is not what it must be.
        """
        return self._must(ConfigAccount, find_config_pda(self.program_id)[0])

    def repo(self, address: Address) -> RepoAccount:
        """Gives a repository.

        Raises:
            AccountMissing: there is none.
            AccountInvalid: the account is not what it must be.
        """
        return self._must(RepoAccount, address)

    def repos(self, creator: Address | None = None) -> list[RepoAccount]:
        """Gives all repositories, or those of one creator, by name."""
        wanted = {} if creator is None else {"creator": creator.raw}
        found = self._find(RepoAccount, wanted)
        return sorted(found, key=lambda one: (one.creator, one.name))

    def branch(self, repo: Address, name: str) -> BranchAccount:
        """Gives a branch.

        Raises:
            AccountMissing: there is none of this name.
            AccountInvalid: the account is not what it must be.
        """
        return self._must(
            BranchAccount, find_branch_pda(repo, name, self.program_id)[0]
        )

    def branches(self, repo: Address) -> list[BranchAccount]:
        """Gives a repository's branches, by name."""
        found = self._find(BranchAccount, {"repo": repo.raw})
        return sorted(found, key=lambda one: one.name)

    def policy(self, repo: Address, index: int) -> PolicyAccount:
        """Gives a policy by its number.

        Raises:
            AccountMissing: there is none of this number.
            AccountInvalid: the account is not what it must be.
        """
        return self._must(
            PolicyAccount, find_policy_pda(repo, index, self.program_id)[0]
        )

    def round(self, branch: Address, round_index: int) -> RoundAccount | None:
        """Gives a round, or None where it is not open yet or closed for good."""
        where = find_round_pda(branch, round_index, self.program_id)[0]
        return self._maybe(RoundAccount, where)

    def rounds(self, branch: Address) -> list[RoundAccount]:
        """Gives a branch's rounds whose accounts still exist, oldest first."""
        found = self._find(RoundAccount, {"branch": branch.raw})
        return sorted(found, key=lambda one: one.round_index)

    def branch_candidates(self, branch: Address) -> list[MergeCandidateAccount]:
        """Gives the merges proposed for any round of a branch, oldest first."""
        found = self._find(MergeCandidateAccount, {"branch": branch.raw})
        return sorted(found, key=lambda one: (one.proposed_at, one.commit_id))

    def updates(self, round_address: Address) -> list[UpdateAccount]:
        """Gives a round's updates, by weight descending, then contributor ascending.

        That is the order in which `merge_accumulate` takes them.
        """
        found = self._find(UpdateAccount, {"round": round_address.raw})
        return sorted(found, key=lambda one: (-one.weight, one.contributor))

    def update(
        self, round_address: Address, contributor: Address
    ) -> UpdateAccount | None:
        """Gives a contributor's update of a round, if there is one."""
        where = find_update_pda(round_address, contributor, self.program_id)[0]
        return self._maybe(UpdateAccount, where)

    def roles(self, repo: Address) -> list[RoleAccount]:
        """Gives a repository's roles, expired ones too."""
        found = self._find(RoleAccount, {"repo": repo.raw})
        return sorted(found, key=lambda one: (one.grantee, one.branch))

    def role_for(
        self, repo: Address, branch: Address | None, grantee: Address
    ) -> RoleAccount | None:
        """Gives a wallet's role for exactly this branch, or the whole repository."""
        where = find_role_pda(repo, branch, grantee, self.program_id)[0]
        return self._maybe(RoleAccount, where)

    def invites(self, repo: Address) -> list[InviteAccount]:
        """Gives a repository's invites, expired ones too, the next to expire first."""
        found = self._find(InviteAccount, {"repo": repo.raw})
        return sorted(found, key=lambda one: (one.expires_at, one.key))

    def invite(self, repo: Address, invite_key: Address) -> InviteAccount | None:
        """Gives an invite by its public key; None once it is used up or revoked."""
        where = find_invite_pda(repo, invite_key, self.program_id)[0]
        return self._maybe(InviteAccount, where)

    def join_requests(self, repo: Address) -> list[JoinRequestAccount]:
        """Gives the requests to join that wait for an answer, oldest first."""
        found = self._find(JoinRequestAccount, {"repo": repo.raw})
        return sorted(found, key=lambda one: (one.requested_at, one.applicant))

    def join_request(
        self, repo: Address, applicant: Address
    ) -> JoinRequestAccount | None:
        """Gives a wallet's request to join, if it waits for an answer."""
        where = find_join_request_pda(repo, applicant, self.program_id)[0]
        return self._maybe(JoinRequestAccount, where)

    def delegations(self, repo: Address) -> list[DelegationAccount]:
        """Gives a repository's delegations, expired ones too, by wallet."""
        found = self._find(DelegationAccount, {"repo": repo.raw})
        return sorted(found, key=lambda one: (one.wallet, one.expires_at, one.key))

    def delegation(
        self, repo: Address, wallet: Address, machine_key: Address
    ) -> DelegationAccount | None:
        """Gives what lets a machine's key push for a wallet, if anything."""
        where = find_delegation_pda(repo, wallet, machine_key, self.program_id)[0]
        return self._maybe(DelegationAccount, where)

    def candidates(self, round_address: Address) -> list[MergeCandidateAccount]:
        """Gives the merges proposed for a round, oldest first."""
        found = self._find(MergeCandidateAccount, {"round": round_address.raw})
        return sorted(found, key=lambda one: (one.proposed_at, one.commit_id))

    def candidate(
        self, round_address: Address, commit_id: CommitId
    ) -> MergeCandidateAccount | None:
        """Gives a proposed merge, if there is such a one."""
        where = find_candidate_pda(round_address, commit_id, self.program_id)[0]
        return self._maybe(MergeCandidateAccount, where)

    def attestation(
        self, candidate: Address, authority_epoch: int, attester: Address
    ) -> AttestationAccount | None:
        """Gives somebody's attestation of a proposed merge, if there is one."""
        where = find_attestation_pda(
            candidate, authority_epoch, attester, self.program_id
        )[0]
        return self._maybe(AttestationAccount, where)

    def attestations(self, candidate: Address) -> list[AttestationAccount]:
        """Gives the attestations of a proposed merge, oldest first."""
        found = self._find(AttestationAccount, {"candidate": candidate.raw})
        return sorted(found, key=lambda one: (one.attested_at, one.attester))

    def branch_attestations(self, branch: Address) -> list[AttestationAccount]:
        """Gives the attestations of any round of a branch, oldest first."""
        found = self._find(AttestationAccount, {"branch": branch.raw})
        return sorted(found, key=lambda one: (one.attested_at, one.attester))

    def contribution(
        self, repo: Address, contributor: Address
    ) -> ContributionAccount | None:
        """Gives what a contributor earned in a repository, if anything."""
        where = find_contribution_pda(repo, contributor, self.program_id)[0]
        return self._maybe(ContributionAccount, where)

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Signer],
        *,
        compute_units: int | None = None,
        publish: Callable[[bytes], None] | None = None,
    ) -> TxResult:
        """Signs and sends instructions as one transaction; waits until confirmed.

        Args:
            instructions: run together or not at all.
            signers: the first one pays.
            compute_units: a limit of one's own.
            publish: called with the stored block of each event.

        Raises:
            ProgramRefused: the program or the runtime refused.
            RpcTimeout: not confirmed in time.
            RpcUnavailable: the RPC gives no usable answers.
            UsageError: too big, or the wrong signers.
        """
        result = send_instructions(
            self.rpc,
            instructions,
            signers,
            compute_units=compute_units,
            program_id=self.program_id,
        )
        if publish is not None:
            for event_bytes in result.events:
                publish(event_block(event_bytes))
        return result

    def wait_for(self, signature: str, *, timeout_s: float = 60.0) -> None:
        """Waits until a transaction that somebody else sent is confirmed.

        Raises:
            ProgramRefused: it failed.
            RpcTimeout: not confirmed in time.
        """
        wait_confirmed(self.rpc, signature, timeout_s=timeout_s)

    def events_since(self, repo: Address, seq: int) -> list[EventBytes]:
        """Gives the events of a repository (or the Config) after number `seq`.

        They are all there and true, by the account's number and root as they were read
        before the history was.

        Raises:
            VerificationError: the RPC's history lacks an event, the newest included, or
                has another one than the account's root names.
        """
        is_config = repo == find_config_pda(self.program_id)[0]
        account = self.config() if is_config else self.repo(repo)
        found = fetch_events(self.rpc, repo, seq, self.program_id)
        return whole_events(found, seq, account.event_seq, account.history_root)

    def found_events(self, repo: Address, seq: int) -> list[EventBytes]:
        """Gives what the RPC still has of these events; each is to be checked by root.

        Raises:
            VerificationError: the RPC's history contradicts itself.
        """
        return list(fetch_events(self.rpc, repo, seq, self.program_id).values())

    def _maybe(self, kind: type[_T], address: Address) -> _T | None:
        raw = self.rpc.get_account(address)
        return None if raw is None else self._decode(kind, raw)

    def _must(self, kind: type[_T], address: Address) -> _T:
        account = self._maybe(kind, address)
        if account is None:
            raise AccountMissing(address, ACCOUNT_NAMES[kind].lower())
        return account

    def _find(self, kind: type[_T], wanted: dict[str, bytes]) -> list[_T]:
        filters = [AccountFilter(0, account_discriminator(kind))]
        filters += [
            AccountFilter(account_offset(kind, name), content)
            for name, content in wanted.items()
        ]
        found = self.rpc.get_program_accounts(
            self.program_id, size=account_size(kind), filters=filters
        )
        by_address: dict[Address, _T] = {}
        for raw in found:
            account = self._decode(kind, raw)
            if by_address.setdefault(raw.address, account) != account:
                raise AccountInvalid(raw.address, "given in two versions")
        return list(by_address.values())

    def _decode(self, kind: type[_T], raw: RawAccount) -> _T:
        account = decode_account_as(kind, raw, self.program_id)
        if raw.address != own_address(account, self.program_id):
            raise AccountInvalid(raw.address, "its contents belong to another address")
        return account
