"""The program in LiteSVM: transactions, snapshots and refusals."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from solders.account import Account
from solders.clock import Clock
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata
from solders.transaction_status import (
    TransactionErrorInstructionError,
)

from program_harness.call import (
    CONFIG,
    EVENT_AUTHORITY,
    LOADER_ID,
    PROGRAM_DATA,
    SYSTEM_ID,
    Call,
    wallet,
)
from program_harness.protocol import (
    ACCOUNTS,
    ERRORS,
    EVENT_HEADER,
    EVENT_TAG,
    EVENTS,
    PROGRAM_ID,
    decode_account,
    decode_event,
    encode_account,
    event_root,
)
from program_harness.refusal import error_of, explain, name_of

START: Final = 1_800_000_000
LAMPORTS: Final = 100_000_000_000
MAX_TRANSACTION: Final = 1232
SHIPPED_PATH: Final = (
    Path(__file__).parents[3] / "client" / "flair_client" / "chain" / "flair.so"
)
# scripts/mutate-program runs the tests on other builds, or one instruction of them:
# what leads to that instruction's calls is then the shipped program's work.
PROGRAM_PATH: Final = Path(os.environ.get("FLAIR_TEST_PROGRAM") or SHIPPED_PATH)
ONLY_INSTRUCTION: Final = os.environ.get("FLAIR_TEST_ONLY", "")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that passed."""

    events: list[bytes]
    compute_units: int
    size: int


@dataclass(slots=True)
class Chain:
    """The program, its clock and the parties' wallets."""

    svm: LiteSVM = field(default_factory=LiteSVM)
    now: int = START
    parties: dict[str, Keypair] = field(default_factory=dict)
    # Pays every fee, so that the parties' lamports change by rent and deposits only.
    sponsor: Keypair = field(default_factory=lambda: wallet("sponsor"))

    def __post_init__(self) -> None:
        # Rent is read from the sysvar: a number that nobody has compiled in.
        self.svm.set_rent(Rent(7000))
        path = SHIPPED_PATH if ONLY_INSTRUCTION else PROGRAM_PATH
        self.svm.add_program(PROGRAM_ID, _program_bytes(path))
        self.svm.airdrop(self.sponsor.pubkey(), LAMPORTS)
        self.set_now(START)
        self.set_program_data(wallet("upgrade authority").pubkey())

    def set_now(self, unix_time: int) -> None:
        """Sets the clock."""
        self.now = unix_time
        clock = self.svm.get_clock()
        self.svm.set_clock(
            Clock(clock.slot + 1, clock.epoch_start_timestamp, 0, 0, unix_time)
        )

    def wait(self, seconds: int) -> None:
        """Lets time pass."""
        self.set_now(self.now + seconds)

    def party(self, name: str) -> Keypair:
        """Gives somebody's wallet, with money."""
        if name not in self.parties:
            self.parties[name] = wallet(name)
            self.svm.airdrop(wallet(name).pubkey(), LAMPORTS)
        return self.parties[name]

    def set_program_data(self, authority: Pubkey | None, *, tag: int = 3) -> None:
        """Forges the loader's account that names the upgrade authority."""
        head = tag.to_bytes(4, "little") + (0).to_bytes(8, "little")
        option = b"\0" + bytes(32) if authority is None else b"\1" + bytes(authority)
        self.svm.set_account(
            PROGRAM_DATA, Account(LAMPORTS, head + option + bytes(8), LOADER_ID)
        )

    def rent(self, size: int) -> int:
        """Lamports that an account of this size must hold."""
        return self.svm.minimum_balance_for_rent_exemption(size)

    def lamports(self, address: Pubkey) -> int:
        """Balance of an account, 0 where there is none."""
        return self.svm.get_balance(address) or 0

    def exists(self, address: Pubkey) -> bool:
        """Whether an account holds anything."""
        account = self.svm.get_account(address)
        return account is not None and account.lamports > 0

    def data(self, address: Pubkey) -> bytes:
        """An account's data."""
        account = self.svm.get_account(address)
        assert account is not None, f"no account at {address}"
        return account.data

    def read(self, address: Pubkey) -> SimpleNamespace:
        """An account's fields."""
        return decode_account(self.data(address))[1]

    def edit(self, address: Pubkey, **values: Any) -> None:
        """Overwrites fields of an account, which no instruction can."""
        account = self.svm.get_account(address)
        assert account is not None
        kind, fields = decode_account(account.data)
        for name, value in values.items():
            assert hasattr(fields, name), name
            setattr(fields, name, value)
        self.put(address, data=encode_account(kind, fields))

    def put(
        self,
        address: Pubkey,
        *,
        data: bytes | None = None,
        owner: Pubkey | None = None,
        lamports: int | None = None,
    ) -> None:
        """Overwrites parts of an account; a new one is the program's."""
        old = self.svm.get_account(address) or Account(LAMPORTS, b"", PROGRAM_ID)
        self.svm.set_account(
            address,
            Account(
                old.lamports if lamports is None else lamports,
                old.data if data is None else data,
                old.owner if owner is None else owner,
            ),
        )

    def remove(self, address: Pubkey) -> None:
        """Makes an account vanish."""
        self.svm.set_account(address, Account(0, b"", SYSTEM_ID))

    def transaction(self, *calls: Call | Instruction) -> Transaction:
        """Signs calls; the sponsor pays."""
        keys = {bytes(self.sponsor.pubkey()): self.sponsor}
        instructions = []
        for call in calls:
            if isinstance(call, Call):
                keys |= {bytes(key.pubkey()): key for key in call.keys}
                instructions.append(call.instruction)
            else:
                instructions.append(call)
        if ONLY_INSTRUCTION:
            names = [getattr(call, "name", "") for call in calls]
            path = PROGRAM_PATH if ONLY_INSTRUCTION in names else SHIPPED_PATH
            forged = self.svm.get_account(PROGRAM_DATA)
            self.svm.add_program(PROGRAM_ID, _program_bytes(path))
            if forged is not None:
                self.svm.set_account(PROGRAM_DATA, forged)
        self.svm.expire_blockhash()
        message = Message(instructions, self.sponsor.pubkey())
        count = message.header.num_required_signatures
        signers = [keys[bytes(key)] for key in message.account_keys[:count]]
        return Transaction(signers, message, self.svm.latest_blockhash())

    def send(self, *calls: Call | Instruction) -> Receipt:
        """Sends calls that must pass, in one transaction."""
        transaction = self.transaction(*calls)
        result = self.svm.send_transaction(transaction)
        assert isinstance(result, TransactionMetadata), (
            f"{[getattr(call, 'name', '') for call in calls]}: {explain(result)}"
        )
        events = _events(result, transaction.message)
        return Receipt(events, result.compute_units_consumed(), len(bytes(transaction)))

    def act(
        self, call: Call, chained: Pubkey, actor: Keypair
    ) -> tuple[str, dict[str, Any]]:
        """Sends a call that must pass; gives its event's name and own fields.

        Checks what holds for every event: one per call, the header, and that the
        chained account (Repo or Config) counts it and folds it into its root.
        """
        seq, root = 0, bytes(32)
        if self.exists(chained):
            before = self.read(chained)
            seq, root = before.event_seq, before.history_root

        receipt = self.send(call)

        assert len(receipt.events) == 1, "not exactly one event"
        name, event = decode_event(receipt.events[0])
        header = [getattr(event, each.name) for each in EVENT_HEADER.fields]
        assert header == [
            *(1, chained, seq + 1, root, self.now, actor.pubkey(), bytes(8))
        ]
        after = self.read(chained)
        assert after.event_seq == seq + 1
        assert after.history_root == event_root(receipt.events[0])
        own = EVENTS[name].fields[len(EVENT_HEADER.fields) :]
        return name, {each.name: getattr(event, each.name) for each in own}

    def refusal(self, *calls: Call | Instruction) -> tuple[int, int | str]:
        """Sends calls that must fail; gives the index and the error."""
        result = self.svm.send_transaction(self.transaction(*calls))
        assert isinstance(result, FailedTransactionMetadata), "it was not refused"
        error = result.err()
        assert isinstance(error, TransactionErrorInstructionError), str(error)
        return error.index, error_of(result)

    def snapshot(self) -> dict[Pubkey, tuple[int, bytes, Pubkey]]:
        """Everything but the sponsor's purse: accounts of the program, the parties."""
        accounts = dict(self.svm.get_program_accounts(PROGRAM_ID))
        for address in (*(key.pubkey() for key in self.parties.values()), CONFIG):
            account = self.svm.get_account(address)
            if account is not None:
                accounts[address] = account
        return {
            address: (account.lamports, account.data, account.owner)
            for address, account in accounts.items()
        }

    def expect_refusal(
        self,
        call: Call,
        wanted: str | int,
        *,
        before: Iterable[Call | Instruction] = (),
    ) -> None:
        """Sends a call that must be refused for just this, and change nothing.

        Args:
            call: what is refused.
            wanted: a name in docs/protocol.md, or one of `refusal`.
            before: calls in the same transaction that pass.
        """
        before = list(before)
        state = self.snapshot()

        index, error = self.refusal(*before, call)

        expected = ERRORS.get(str(wanted), wanted)
        assert error == expected, f"refused with {name_of(error)}, not {wanted}"
        assert index == len(before), f"instruction {index} was refused"
        assert self.snapshot() == state, "a refused call changed accounts"


def account_of(kind: str, **values: Any) -> SimpleNamespace:
    """Gives the fields of an account where all that is not named is zero."""
    return ACCOUNTS[kind].decode(ACCOUNTS[kind].encode({"version": 1, **values}))


@cache
def _program_bytes(path: Path) -> bytes:
    return path.read_bytes()


def _events(result: TransactionMetadata, message: Message) -> list[bytes]:
    """Event bytes of the program's self-calls."""
    found = []
    for group in result.inner_instructions():
        for inner in group:
            instruction = inner.instruction()
            program = message.account_keys[instruction.program_id_index]
            if program == PROGRAM_ID:
                assert bytes(instruction.data[:8]) == EVENT_TAG
                keys = [message.account_keys[at] for at in instruction.accounts]
                assert keys == [EVENT_AUTHORITY]
                found.append(bytes(instruction.data[8:]))
    return found
