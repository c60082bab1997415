"""Where a sponsor decides: rules, then the chain, then its caps, then it signs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from flair_client.chain.accounts import PolicyAccount, Scope, decode_account_as
from flair_client.chain.errors import transaction_error
from flair_client.chain.signer import Signer
from flair_client.chain.wire import read_transaction
from flair_client.errors import SponsorForesees, SponsorRefused
from flair_client.ids import Address
from flair_client.sponsor.ledger import Caps, Ledger
from flair_client.sponsor.rules import Asked, Purpose, Terms, examine
from flair_client.sponsor.signer import FORESEEN

if TYPE_CHECKING:
    from flair_client.chain.client import ChainClient

_SLOT_BLOCKHASH: Final = "BlockhashNotFound"


@dataclass(frozen=True, slots=True)
class Desk:
    """A sponsor at work.

    Attributes:
        signer: the sponsor's wallet.
        now: seconds since 1970; days of the caps are counted by it.
    """

    chain: "ChainClient"
    signer: Signer
    terms: Terms
    caps: Caps
    ledger: Ledger
    now: Callable[[], int]
    # Requests come from several threads; the connection to the chain is one.
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cosign(self, wire: bytes) -> bytes:
        """Gives the sponsor's signature of a transaction that lacks it alone.

        What would fail on chain is not signed: its fee would be lost. The signature is
        made when it was written down and not before, so that whatever happens in
        between, here or at the RPC, no more is given away than was counted.

        Args:
            wire: the transaction as it would be sent.

        Raises:
            SponsorRefused: names the rule, the cap, or why it would fail.
            ObjectError: the bytes are no transaction, or a signature in it is false.
            ChainError: the RPC gives no usable answers.
            RecordDamaged, WorkspaceError, StoreFull: the ledger cannot be used.
        """
        transaction = read_transaction(wire)
        asked = examine(transaction, self.terms)
        with self._lock:
            lamports = asked.lamports + self._deposit(asked)
            if asked.is_anybodys and not self._contributes(asked):
                asked = replace(asked, purpose=Purpose.REQUEST)
            # Signed before, it may be on chain already: then a trial would fail.
            if not self.ledger.check(asked, lamports, self.caps, self.now()):
                self._try(wire)
                self.ledger.reserve(asked, lamports, self.caps, self.now())
            return self.signer.sign(transaction.message)

    def _try(self, wire: bytes) -> None:
        """Runs the transaction for trial, without the sponsor's signature.

        Raises:
            SponsorRefused: it would fail.
        """
        outcome = self.chain.rpc.simulate_transaction(wire, check_signatures=False)
        if outcome.err == _SLOT_BLOCKHASH:
            raise SponsorRefused("stale", "its blockhash has expired")
        if outcome.err is not None:
            reason = transaction_error(outcome.err)
            raise SponsorForesees(FORESEEN, f"it would fail: {reason}")

    def _contributes(self, asked: Asked) -> bool:
        """Whether who asks is the owner, contributed, or holds a role that lets it.

        A machine key stands for the wallets that delegated to it.
        """
        chain, now = self.chain, self.now()
        repo = chain.repo(asked.repo)
        wallets = {asked.wallet} | {
            one.wallet
            for one in chain.delegations(asked.repo)
            if one.key == asked.wallet and one.expires_at > now
        }
        if repo.authority in wallets:
            return True
        if any(chain.contribution(asked.repo, one) is not None for one in wallets):
            return True
        return any(
            role.grantee in wallets
            and Scope.CONTRIBUTE in role.scope
            and role.authority_epoch == repo.authority_epoch
            and not 0 < role.expires_at <= now
            for role in chain.roles(asked.repo)
        )

    def _deposit(self, asked: Asked) -> int:
        """Checks who the repository's sponsor is; gives the deposit of a push."""
        repo = self.chain.repo(asked.repo)
        if repo.sponsor != self.signer.address:
            raise SponsorRefused("repo", "the repository has another sponsor by now")
        if asked.policy is None:
            return 0
        policy = _policy(self.chain, asked.policy)
        if policy is None or policy.repo != asked.repo:
            raise SponsorRefused("instruction", "names no policy of the repository")
        return policy.params.deposit_lamports


def _policy(chain: "ChainClient", address: Address) -> PolicyAccount | None:
    raw = chain.rpc.get_account(address)
    if raw is None or raw.owner != chain.program_id:
        return None
    return decode_account_as(PolicyAccount, raw, chain.program_id)
