"""Pending work by an indexer's database: what there is, without scanning the program.

Many RPC providers limit or refuse `getProgramAccounts`. The database names the
accounts; the accounts themselves are read from the chain, so that a wrong database can
hide something and never make something up. Where it is behind the chain, or lacks an
update that the round counts, the RPC is asked for everything.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flair_aggregator.pending import RpcPending, check_complete
from flair_aggregator.round import BranchView
from flair_client.chain.accounts import (
    AttestationAccount,
    MergeCandidateAccount,
    RoundAccount,
    UpdateAccount,
    decode_account_as,
)
from flair_client.chain.client import ChainClient
from flair_client.chain.own_address import own_address
from flair_client.chain.pdas import (
    find_attestation_pda,
    find_candidate_pda,
    find_round_pda,
    find_update_pda,
)
from flair_client.errors import AccountInvalid, DatabaseError
from flair_client.ids import Address
from flair_indexer import queries
from flair_indexer.db import Database

# Rounds whose accounts may not all be closed yet; older ones are somebody's neglect.
_RECENT: Final = 64
_ATTESTATION: Final = "attestation"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class IndexedPending:
    """Reads pending work with the help of an indexer's database.

    Attributes:
        say: told where the database cannot be used, and an empty text when it can.
    """

    chain: ChainClient
    database: Database
    say: Callable[[str], None] = lambda _: None

    def read(self, repo: Address, branch: str) -> BranchView:
        """As `Pending.read`.

        Raises:
            ChainError: the RPC gives no usable answers.
        """
        by_rpc = RpcPending(self.chain)
        try:
            known = queries.repo(self.database, repo)
            if known is None or known.seq < self.chain.repo(repo).event_seq:
                # It will be there in a moment; the work does not wait for it.
                return by_rpc.read(repo, branch)
            named = NamedAccounts(self.chain, self.database)
            view = RpcPending(self.chain, named).read(repo, branch)
            check_complete(view)
        except DatabaseError as exc:
            self.say(f"{exc}; the RPC is asked instead")
            return by_rpc.read(repo, branch)
        except AccountInvalid:
            return by_rpc.read(repo, branch)
        self.say("")
        return view


@dataclass(frozen=True, slots=True)
class NamedAccounts:
    """Accounts that the database names, as the chain has them now."""

    chain: ChainClient
    database: Database

    def rounds(self, branch: Address) -> list[RoundAccount]:
        """As `ChainClient.rounds`, of the last rounds."""
        named = [
            find_round_pda(branch, one.round_index, self.chain.program_id)[0]
            for one in queries.rounds(self.database, branch, limit=_RECENT)
        ]
        found = self._there(RoundAccount, named)
        return sorted(found, key=lambda one: one.round_index)

    def updates(self, round_address: Address) -> list[UpdateAccount]:
        """As `ChainClient.updates`."""
        (account,) = self._there(RoundAccount, [round_address])
        named = [
            find_update_pda(round_address, one.contributor, self.chain.program_id)[0]
            for one in queries.updates(
                self.database, account.branch, account.round_index
            )
        ]
        found = self._there(UpdateAccount, named)
        return sorted(found, key=lambda one: (-one.weight, one.contributor))

    def branch_candidates(self, branch: Address) -> list[MergeCandidateAccount]:
        """As `ChainClient.branch_candidates`."""
        found = self._there(MergeCandidateAccount, self._candidates(branch))
        return sorted(found, key=lambda one: (one.proposed_at, one.commit_id))

    def branch_attestations(self, branch: Address) -> list[AttestationAccount]:
        """As `ChainClient.branch_attestations`."""
        program_id = self.chain.program_id
        named = []
        for index in self._recent(branch):
            round_address = find_round_pda(branch, index, program_id)[0]
            for vote in queries.votes(self.database, branch, index):
                if vote.kind == _ATTESTATION:
                    where = find_candidate_pda(
                        round_address, vote.commit_id, program_id
                    )[0]
                    epoch, voter = vote.authority_epoch, vote.voter
                    named.append(
                        find_attestation_pda(where, epoch, voter, program_id)[0]
                    )
        found = self._there(AttestationAccount, named)
        return sorted(found, key=lambda one: (one.attested_at, one.attester))

    def _candidates(self, branch: Address) -> list[Address]:
        program_id = self.chain.program_id
        return [
            find_candidate_pda(
                find_round_pda(branch, index, program_id)[0], one.commit_id, program_id
            )[0]
            for index in self._recent(branch)
            for one in queries.candidates(self.database, branch, index)
        ]

    def _recent(self, branch: Address) -> list[int]:
        found = queries.rounds(self.database, branch, limit=_RECENT)
        return [one.round_index for one in found]

    def _there(self, kind: type[_T], named: Iterable[Address]) -> list[_T]:
        """Those of some accounts that there are, each checked to be itself."""
        addresses = list(dict.fromkeys(named))
        found = []
        for raw in self.chain.rpc.get_multiple_accounts(addresses):
            if raw is None:
                continue
            account: Any = decode_account_as(kind, raw, self.chain.program_id)
            if raw.address != own_address(account, self.chain.program_id):
                raise AccountInvalid(raw.address, "its contents belong elsewhere")
            found.append(account)
        return found
