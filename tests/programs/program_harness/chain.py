"""The program in LiteSVM: calls, transactions, snapshots and refusals.

Calls are built from the tables of docs/protocol.md, with accounts by name, so that a
test can exchange one account, one flag or one argument.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Self

from solders.account import Account
from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata
from solders.transaction_status import (
    InstructionErrorCustom,
    InstructionErrorFieldless,
    TransactionErrorInstructionError,
)

from program_harness.protocol import (
    ACCOUNTS,
    ERRORS,
    EVENT_HEADER,
    EVENT_TAG,
    EVENTS,
    INSTRUCTIONS,
    PROGRAM_ID,
    decode_account,
    decode_event,
    discriminator,
    encode_account,
    event_root,
)

SYSTEM_ID: Final = Pubkey.default()
LOADER_ID: Final = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
NOBODY_ID: Final = Pubkey.from_bytes(hashlib.sha256(b"nobody's program").digest())
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

# Refusals of the framework and the runtime, by what they mean.
# The numbers are anchor-lang 2.0.0-rc.2's (`ErrorCode`, `SlabSchema::validate`).
SIGNER: Final = "MissingRequiredSignature"
MUT: Final = 2000
DUPLICATE: Final = 2040
ADDRESS: Final = 2012
HAS_ONE: Final = 2001
EXECUTABLE: Final = 2007
SEEDS: Final = "InvalidSeeds"
OWNER: Final = "IllegalOwner"
DISCRIMINATOR: Final = "InvalidAccountData"
TOO_SMALL: Final = "AccountDataTooSmall"
MISSING: Final = "UninitializedAccount"
SPACE: Final = 2019
BORROWED: Final = "AccountBorrowFailed"
ESCALATION: Final = "PrivilegeEscalation"
PROGRAM: Final = "IncorrectProgramId"
KEYS: Final = "NotEnoughAccountKeys"
DATA: Final = "InvalidInstructionData"
IN_USE: Final = 0  # the system program's AccountAlreadyInUse


def find_pda(*seeds: bytes | Pubkey, program: Pubkey = PROGRAM_ID) -> Pubkey:
    """Gives the address for these seeds."""
    return _find(tuple(bytes(seed) for seed in seeds), program)[0]


def find_bump(*seeds: bytes | Pubkey) -> int:
    """Gives the bump for these seeds."""
    return _find(tuple(bytes(seed) for seed in seeds), PROGRAM_ID)[1]


@cache
def _find(seeds: tuple[bytes, ...], program: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address(list(seeds), program)


EVENT_AUTHORITY: Final = find_pda(b"__event_authority")
CONFIG: Final = find_pda(b"config")
PROGRAM_DATA: Final = find_pda(PROGRAM_ID, program=LOADER_ID)


@cache
def wallet(name: str) -> Keypair:
    """Gives the keypair of somebody, always the same for the same name."""
    return Keypair.from_seed(hashlib.sha256(b"wallet " + name.encode()).digest())


@dataclass(frozen=True, slots=True)
class Call:
    """An instruction with its accounts by name, before it becomes bytes.

    Attributes:
        accounts: by name as in the document; None leaves an optional one out.
        signers: keypairs by account name.
        unsigned, read_only: accounts whose flag is taken away.
        more: accounts behind the table's.
        data: replaces the encoded arguments.
    """

    name: str
    accounts: Mapping[str, Pubkey | None]
    arguments: Mapping[str, Any]
    signers: Mapping[str, Keypair]
    more: tuple[AccountMeta, ...] = ()
    unsigned: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()
    data: bytes | None = None
    truncate: int | None = None

    def with_accounts(self, **accounts: Pubkey | None) -> Self:
        """Exchanges accounts; signers of exchanged accounts stay unless named anew."""
        return replace(self, accounts={**self.accounts, **accounts})

    def with_arguments(self, **arguments: Any) -> Self:
        """Exchanges arguments."""
        return replace(self, arguments={**self.arguments, **arguments})

    def signed_by(self, **signers: Keypair) -> Self:
        """Exchanges signers and their accounts."""
        return replace(
            self,
            accounts={
                **self.accounts,
                **{name: key.pubkey() for name, key in signers.items()},
            },
            signers={**self.signers, **signers},
        )

    @property
    def instruction(self) -> Instruction:
        """The bytes and metas."""
        row = INSTRUCTIONS[self.name]
        metas = []
        for name, flags in row.accounts:
            address = self.accounts[name]
            if address is None:
                metas.append(AccountMeta(PROGRAM_ID, False, False))
                continue
            signs = "s" in flags and name not in self.unsigned
            writes = "w" in flags and name not in self.read_only
            metas.append(AccountMeta(address, signs, writes))
        metas += [
            AccountMeta(self.accounts.get(name, address), False, False)
            for name, address in (
                ("event_authority", EVENT_AUTHORITY),
                ("program", PROGRAM_ID),
            )
        ]
        metas = [*metas, *self.more][: self.truncate]
        encoded = (
            row.arguments.encode(self.arguments) if self.data is None else self.data
        )
        return Instruction(
            PROGRAM_ID, discriminator("global", self.name) + encoded, metas
        )

    @property
    def keys(self) -> list[Keypair]:
        """Who signs, without those whose flag was taken away."""
        return [key for name, key in self.signers.items() if name not in self.unsigned]


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
        *errors: str | int,
        before: Iterable[Call | Instruction] = (),
    ) -> None:
        """Sends a call that must be refused for one of these, and change nothing.

        Args:
            call: what is refused.
            errors: names in docs/protocol.md, or the framework's refusals above.
            before: calls in the same transaction that pass.
        """
        before = list(before)
        state = self.snapshot()

        index, error = self.refusal(*before, call)

        expected = [ERRORS.get(str(name), name) for name in errors]
        assert error in expected, f"refused with {name_of(error)}, not {errors}"
        assert index == len(before), f"instruction {index} was refused"
        assert self.snapshot() == state, "a refused call changed accounts"


def account_of(kind: str, **values: Any) -> SimpleNamespace:
    """Gives the fields of an account where all that is not named is zero."""
    return ACCOUNTS[kind].decode(ACCOUNTS[kind].encode({"version": 1, **values}))


def explain(result: FailedTransactionMetadata) -> str:
    """Says why a transaction failed, with the program's last words."""
    return f"{result.err()} {result.meta().logs()[-4:]}"


def name_of(error: int | str) -> str:
    """Gives an error's name in the document."""
    names = [name for name, number in ERRORS.items() if number == error]
    return names[0] if names else str(error)


def error_of(result: FailedTransactionMetadata) -> int | str:
    """Gives the number of a refusal, or the runtime's word for it."""
    error = result.err()
    if not isinstance(error, TransactionErrorInstructionError):
        return str(error)
    inner = error.err
    if isinstance(inner, InstructionErrorCustom):
        return inner.code
    if isinstance(inner, InstructionErrorFieldless):
        return str(inner).split(".")[-1]
    return str(inner)


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
