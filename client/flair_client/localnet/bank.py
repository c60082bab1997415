"""The chain itself: LiteSVM, moved on one transaction at a time, kept in a ledger.

What JSON-RPC calls these things is the methods' business.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from solders.account import Account
from solders.clock import Clock
from solders.epoch_schedule import EpochSchedule
from solders.hash import Hash
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.transaction import VersionedTransaction

from flair_client.chain.accounts import RawAccount
from flair_client.chain.pdas import (
    CLOCK_ID,
    NATIVE_LOADER_ID,
    SYSTEM_PROGRAM_ID,
    UPGRADEABLE_LOADER_ID,
)
from flair_client.ids import Address
from flair_client.localnet.clock import (
    SLOTS_PER_EPOCH,
    Blockhashes,
    Moment,
    SlotClock,
)
from flair_client.localnet.ledger import Entry, Ledger, LedgerFull
from flair_client.localnet.limits import apply_limits, costs_fee_only, read_limits
from flair_client.localnet.outcomes import (
    ALREADY_PROCESSED,
    BLOCKHASH_NOT_FOUND,
    NO_MONEY,
    NO_PROGRAM,
    PROGRAM_NOT_FOUND,
    Outcome,
    build_meta,
    load_keys,
    loaded_size,
    to_raw,
)

# What mainnet asks per byte since 29 October 2026 (SIMD-0437).
LAMPORTS_PER_BYTE: Final = 5080
LOG_BYTES: Final = 10_000
RENT_EPOCH: Final = 2**64 - 1
_SLOT_HASHES: Final = 16


@dataclass(frozen=True, slots=True)
class Processed:
    """Whether a transaction was taken, and what became of it.

    Attributes:
        taken: it is in the ledger; it may have failed there.
        err: why it failed or was not taken.
        outcome: what the machine said, where it ran.
    """

    taken: bool
    err: Any
    outcome: Outcome | None


class Bank:
    """A chain of one node; not safe to use from two threads."""

    def __init__(
        self, ledger: Ledger, clock: SlotClock, blockhashes: Blockhashes
    ) -> None:
        """Loads all accounts from the ledger.

        `listeners` are called with each transaction that is on disk from now on.
        """
        self.ledger = ledger
        self.clock = clock
        self.blockhashes = blockhashes
        self.listeners: list[Callable[[Entry], None]] = []
        self.svm = self._load()

    def _load(self) -> LiteSVM:
        svm = (
            LiteSVM()
            .with_feature_set(LiteSVM.mainnet_feature_set())
            .with_log_bytes_limit(LOG_BYTES)
            # Signatures, blockhashes and doubles are checked here, by the ledger.
            .with_sigverify(False)  # noqa: FBT003 (solders takes no name)
            .with_blockhash_check(False)  # noqa: FBT003 (as above)
            .with_transaction_history(0)
        )
        svm.set_rent(Rent.with_lamports_per_byte(LAMPORTS_PER_BYTE))
        svm.set_epoch_schedule(EpochSchedule.without_warmup())
        programs = []
        for account in self.ledger.accounts():
            if account.executable and account.owner == UPGRADEABLE_LOADER_ID:
                programs.append(account)
            else:
                _set_account(svm, account)
        # As a cluster names it; its bytes count where loaded bytes are counted.
        _set_account(
            svm,
            RawAccount(
                SYSTEM_PROGRAM_ID,
                NATIVE_LOADER_ID,
                lamports=1,
                data=b"solana_system_program",
                executable=True,
            ),
        )
        # A program is compiled when it is set, from its code account.
        for account in programs:
            _set_account(svm, account)
        return svm

    def account(self, address: Address) -> RawAccount | None:
        """Gives an account as it is now, or None where there is none."""
        if address == CLOCK_ID:
            # A cluster's clock goes on when nothing else happens.
            self._set_clock(self.clock.now())
        return self._account(address)

    def _account(self, address: Address) -> RawAccount | None:
        found = self.svm.get_account(_pubkey(address))
        return None if found is None else to_raw(address, found)

    def program_accounts(self, program_id: Address) -> list[RawAccount]:
        """Gives the accounts that a program owns, by address."""
        found = self.svm.get_program_accounts(_pubkey(program_id))
        accounts = [to_raw(Address(bytes(key)), account) for key, account in found]
        return sorted(accounts, key=lambda one: one.address)

    def balance(self, address: Address) -> int:
        """Gives an address's lamports."""
        return self.svm.get_balance(_pubkey(address)) or 0

    def is_blockhash_valid(self, blockhash: Hash) -> bool:
        """Tells whether a transaction may use this blockhash now."""
        return self.blockhashes.is_valid(bytes(blockhash), self.clock.now().slot)

    def refusal(self, tx: VersionedTransaction) -> str | None:
        """Tells why a transaction cannot even be tried."""
        if not self.is_blockhash_valid(tx.message.recent_blockhash):
            return BLOCKHASH_NOT_FOUND
        if self.ledger.has(bytes(tx.signatures[0])):
            return ALREADY_PROCESSED
        return None

    def simulate(self, tx: VersionedTransaction) -> Outcome:
        """Runs a transaction and forgets what it did."""
        self._set_clock(self.clock.following())
        size = loaded_size(self.svm, load_keys(self.svm, tx.message))
        outcome = Outcome.of(self.svm.simulate_transaction(tx))
        outcome = self._named(replace(outcome, loaded_size=size), tx)
        limits = read_limits(tx.message)
        if costs_fee_only(outcome.err):
            return replace(outcome, is_loaded=False)
        return outcome if limits is None else apply_limits(limits, outcome)

    def _run(self, tx: VersionedTransaction, payer: Address) -> Outcome:
        """Runs a transaction, and takes what LiteSVM would not take from the payer."""
        if read_limits(tx.message) is None:
            outcome = self._named(Outcome.of(self.svm.send_transaction(tx)), tx)
            if not costs_fee_only(outcome.err):
                return outcome
            outcome = replace(outcome, is_loaded=False)
        else:
            outcome = self.simulate(tx)
            if self.balance(payer) < outcome.fee:
                return replace(outcome, err=NO_MONEY)
            if not outcome.is_refused_here:
                # The cluster takes the whole fee first.
                self._take(payer, outcome.priority_fee)
                done = Outcome.of(self.svm.send_transaction(tx))
                return replace(done, priority_fee=outcome.priority_fee)
        if self.balance(payer) >= outcome.fee:
            self._take(payer, outcome.fee)
        return outcome

    def _named(self, outcome: Outcome, tx: VersionedTransaction) -> Outcome:
        """Names a program that is not there as a cluster does."""
        if outcome.err != NO_PROGRAM:
            return outcome
        keys = tx.message.account_keys
        called = [keys[one.program_id_index] for one in tx.message.instructions]
        if all(self.svm.get_account(one) is not None for one in called):
            return outcome
        return replace(outcome, err=PROGRAM_NOT_FOUND)

    def _take(self, payer: Address, lamports: int) -> None:
        account = self._account(payer)
        if account is not None and lamports:
            _set_account(
                self.svm, replace(account, lamports=account.lamports - lamports)
            )

    def process(self, tx: VersionedTransaction) -> Processed:
        """Runs a transaction; what it did is on disk on return.

        Raises:
            LedgerFull: the disk does not take it; nothing happened.
        """
        refused = self.refusal(tx)
        if refused is not None:
            return Processed(taken=False, err=refused, outcome=None)
        moment = self.clock.following()
        self._set_clock(moment)
        keys = load_keys(self.svm, tx.message)
        before = {one: self._account(one) for one in keys.all}
        payer = keys.static[0]
        outcome = self._run(tx, payer)
        after = {one: self._account(one) for one in keys.all}
        if outcome.err is not None and before[payer] == after[payer]:
            # No fee was taken: a cluster would drop it without a trace.
            return Processed(taken=False, err=outcome.err, outcome=outcome)
        changed = {one: after[one] for one in after if after[one] != before[one]}
        meta = build_meta(
            outcome,
            keys,
            [_lamports(before[one]) for one in keys.all],
            [_lamports(after[one]) for one in keys.all],
        )
        entry = Entry(moment, bytes(tx.signatures[0]), bytes(tx), meta, keys.all)
        try:
            self.ledger.append(entry, changed)
        except LedgerFull:
            # The machine is ahead of the disk; the disk is what counts.
            self.svm = self._load()
            raise
        self.clock.advance(moment)
        for tell in self.listeners:
            tell(entry)
        return Processed(taken=True, err=outcome.err, outcome=outcome)

    def _set_clock(self, moment: Moment) -> None:
        epoch = moment.epoch
        begun_slots_ago = moment.slot - epoch * SLOTS_PER_EPOCH
        begun = moment.unix_timestamp - begun_slots_ago * 2 // 5
        self.svm.set_clock(
            Clock(moment.slot, begun, epoch, epoch + 1, moment.unix_timestamp)
        )
        first = max(0, moment.slot - _SLOT_HASHES)
        self.svm.set_slot_hashes(
            [
                (slot, Hash.from_bytes(self.blockhashes.of_slot(slot)))
                for slot in range(moment.slot - 1, first - 1, -1)
            ]
        )


def _pubkey(address: Address) -> Pubkey:
    return Pubkey.from_bytes(address.raw)


def _lamports(account: RawAccount | None) -> int:
    return 0 if account is None else account.lamports


def _set_account(svm: LiteSVM, account: RawAccount) -> None:
    svm.set_account(
        _pubkey(account.address),
        Account(
            account.lamports,
            account.data,
            _pubkey(account.owner),
            account.executable,
            RENT_EPOCH,
        ),
    )
