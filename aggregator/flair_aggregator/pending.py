"""What waits on a branch, read from the chain: the live round and what others left.

By RPC here; `indexed` finds the accounts in an indexer's database.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from flair_aggregator.round import BranchView, Leftover, Located, RoundView
from flair_client.chain.accounts import (
    AttestationAccount,
    MergeCandidateAccount,
    RoundAccount,
    UpdateAccount,
)
from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import (
    CLOCK_ID,
    find_attestation_pda,
    find_branch_pda,
    find_candidate_pda,
    find_round_pda,
    find_update_pda,
)
from flair_client.errors import AccountInvalid
from flair_client.ids import Address

# slot, epoch start, epoch, leader epoch: eight bytes each, then the time.
_TIME_AT: Final = 32


class Pending(Protocol):
    """Where pending work is read from."""

    def read(self, repo: Address, branch: str) -> BranchView:
        """Everything on chain that concerns a branch, now; nothing verified yet."""


class Accounts(Protocol):
    """Gives all accounts of a kind that belong to a branch or a round."""

    def rounds(self, branch: Address) -> Sequence[RoundAccount]:
        """As `ChainClient.rounds`."""

    def updates(self, round_address: Address) -> Sequence[UpdateAccount]:
        """As `ChainClient.updates`."""

    def branch_candidates(self, branch: Address) -> Sequence[MergeCandidateAccount]:
        """As `ChainClient.branch_candidates`."""

    def branch_attestations(self, branch: Address) -> Sequence[AttestationAccount]:
        """As `ChainClient.branch_attestations`."""


@dataclass(frozen=True, slots=True)
class RpcPending:
    """Reads pending work from an RPC.

    Attributes:
        accounts: who finds accounts that are not known by name; None is the RPC.
    """

    chain: ChainClient
    accounts: Accounts | None = None

    def read(self, repo: Address, branch: str) -> BranchView:
        """As `Pending.read`.

        Raises:
            ChainError: the RPC gives no usable answers.
        """
        accounts: Accounts = self.accounts or self.chain
        account = self.chain.branch(repo, branch)
        where = find_branch_pda(repo, branch, self.chain.program_id)[0]
        rounds = [self._located(where, one) for one in accounts.rounds(where)]
        candidates = tuple(
            Located(
                find_candidate_pda(one.round, one.commit_id, self.chain.program_id)[0],
                one,
            )
            for one in accounts.branch_candidates(where)
        )
        live_index = account.round_index if account.round_live else None
        live = None
        leftovers = []
        for one in rounds:
            updates = self._updates(one.address)
            if one.value.round_index != live_index:
                leftovers.append(Leftover(one, updates))
                continue
            params = self.chain.policy(repo, one.value.policy_index).params
            mine = tuple(c for c in candidates if c.value.round == one.address)
            live = RoundView(one, params, updates, mine)
        stale = tuple(c for c in candidates if c.value.round_index != live_index)
        return BranchView(
            self._now(),
            Located(where, account),
            live,
            tuple(leftovers),
            stale,
            self._attestations(where, live_index),
            self.chain.repo(repo).authority_epoch,
        )

    def _located(self, branch: Address, one: RoundAccount) -> Located[RoundAccount]:
        program_id = self.chain.program_id
        return Located(find_round_pda(branch, one.round_index, program_id)[0], one)

    def _updates(self, round_address: Address) -> tuple[Located[UpdateAccount], ...]:
        program_id = self.chain.program_id
        return tuple(
            Located(find_update_pda(round_address, one.contributor, program_id)[0], one)
            for one in (self.accounts or self.chain).updates(round_address)
        )

    def _attestations(
        self, branch: Address, live_index: int | None
    ) -> tuple[Located[AttestationAccount], ...]:
        """Those of rounds that are over."""
        return tuple(
            Located(
                find_attestation_pda(
                    one.candidate,
                    one.authority_epoch,
                    one.attester,
                    self.chain.program_id,
                )[0],
                one,
            )
            for one in (self.accounts or self.chain).branch_attestations(branch)
            if one.round_index != live_index
        )

    def _now(self) -> int:
        """The chain's clock, which deadlines go by; else this machine's."""
        raw = self.chain.rpc.get_account(CLOCK_ID)
        if raw is None or len(raw.data) < _TIME_AT + 8:
            return int(time.time())
        return int.from_bytes(raw.data[_TIME_AT : _TIME_AT + 8], "little", signed=True)


def check_complete(view: BranchView) -> None:
    """Refuses a view that lacks updates, or has some that are not there any more.

    To be asked where nothing changed while the view was read: a round counts its
    updates, so that nobody who answers can leave one out unseen.

    Raises:
        AccountInvalid: names the round and both numbers.
    """
    seen = [(one.round, one.updates) for one in view.leftovers]
    if view.live is not None:
        seen.append((view.live.round, view.live.updates))
    for round_, updates in seen:
        n_live = round_.value.n_live
        if len(updates) != n_live:
            raise AccountInvalid(
                round_.address, f"counts {n_live} updates, the RPC gave {len(updates)}"
            )
