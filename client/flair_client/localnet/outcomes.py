"""What a transaction did, in the JSON of RPC nodes."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import base58
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTable
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.rpc.responses import RpcSimulateTransactionResult
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import (
    FailedTransactionMetadata,
    SimulatedTransactionInfo,
    TransactionMetadata,
)

from flair_client.chain.accounts import RawAccount
from flair_client.chain.pdas import UPGRADEABLE_LOADER_ID
from flair_client.ids import Address

BLOCKHASH_NOT_FOUND: Final = "BlockhashNotFound"
ALREADY_PROCESSED: Final = "AlreadyProcessed"
SIGNATURE_FAILURE: Final = "SignatureFailure"
NO_PROGRAM: Final = "InvalidProgramForExecution"
PROGRAM_NOT_FOUND: Final = "ProgramAccountNotFound"
NO_MONEY: Final = "InsufficientFundsForFee"
# Of a program's account: which kind of account, and where its code is.
_CODE_POINTER: Final = 36
_IS_PROGRAM: Final = (2).to_bytes(4, "little")
_ACCOUNT_BASE: Final = 64
_LOADER: Final = Pubkey.from_bytes(UPGRADEABLE_LOADER_ID.raw)
_SENTENCES: Final = {
    BLOCKHASH_NOT_FOUND: "Blockhash not found",
    ALREADY_PROCESSED: "This transaction has already been processed",
    "AccountNotFound": (
        "Attempt to debit an account but found no record of a prior credit."
    ),
    NO_MONEY: "Insufficient funds for fee",
    SIGNATURE_FAILURE: "Transaction did not pass signature verification",
    PROGRAM_NOT_FOUND: "Attempt to load a program that does not exist",
    "MaxLoadedAccountsDataSizeExceeded": (
        "Transaction exceeded max loaded accounts data size cap"
    ),
}


@dataclass(frozen=True, slots=True)
class LoadedKeys:
    """All accounts of a transaction, in the order that indexes count them."""

    static: tuple[Address, ...]
    writable: tuple[Address, ...]
    readonly: tuple[Address, ...]

    @property
    def all(self) -> tuple[Address, ...]:
        """Static ones, then those from lookup tables."""
        return self.static + self.writable + self.readonly


def load_keys(svm: LiteSVM, message: Message | MessageV0 | MessageV1) -> LoadedKeys:
    """Gives a message's accounts; those of unknown lookup tables are left out."""
    static = tuple(Address(bytes(one)) for one in message.account_keys)
    writable: list[Address] = []
    readonly: list[Address] = []
    if isinstance(message, MessageV0):
        for lookup in message.address_table_lookups:
            table = _table(svm, lookup.account_key)
            for indexes, into in (
                (lookup.writable_indexes, writable),
                (lookup.readonly_indexes, readonly),
            ):
                into += [table[index] for index in indexes if index < len(table)]
    return LoadedKeys(static, tuple(writable), tuple(readonly))


def loaded_size(svm: LiteSVM, keys: LoadedKeys) -> int:
    """Gives the bytes that a transaction loads, as the cluster counts them (SIMD-0186).

    Each account counts with its data and 64 bytes more, a program of the upgradeable
    loader with the account of its code as well.
    """
    size = 0
    counted: set[Pubkey] = set()
    for address in keys.all:
        key = Pubkey.from_bytes(address.raw)
        account = svm.get_account(key)
        if account is None:
            continue
        size += _ACCOUNT_BASE + len(account.data)
        data = bytes(account.data[:_CODE_POINTER])
        if account.owner == _LOADER and data[:4] == _IS_PROGRAM:
            counted.add(Pubkey.from_bytes(data[4:]))
    for key in counted:
        code = svm.get_account(key)
        size += 0 if code is None else _ACCOUNT_BASE + len(code.data)
    return size


def _table(svm: LiteSVM, where: Pubkey) -> list[Address]:
    account = svm.get_account(where)
    if account is None:
        return []
    try:
        table = AddressLookupTable.deserialize(bytes(account.data))
    except ValueError:
        return []
    return [Address(bytes(one)) for one in table.addresses]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the machine said about one run of a transaction.

    Attributes:
        err: in the JSON of RPC nodes; None where it succeeded.
        result: logs, fee and calls.
        accounts: as they would be after a simulation.
        loaded_size: bytes of all accounts that it loads.
        priority_fee: lamports that LiteSVM knows nothing of.
        is_loaded: it ran; otherwise the fee is all that is left of it.
        cut_at: compute units at which it was ended, by limits LiteSVM does not know.
    """

    err: Any
    result: TransactionMetadata
    accounts: Mapping[Address, RawAccount] = field(default_factory=dict)
    loaded_size: int = 0
    priority_fee: int = 0
    is_loaded: bool = True
    cut_at: int | None = None

    @classmethod
    def of(
        cls,
        answer: (
            TransactionMetadata | FailedTransactionMetadata | SimulatedTransactionInfo
        ),
    ) -> "Outcome":
        """Reads an answer of LiteSVM."""
        if isinstance(answer, TransactionMetadata):
            return cls(None, answer)
        if isinstance(answer, SimulatedTransactionInfo):
            after = {
                Address(bytes(key)): to_raw(Address(bytes(key)), account)
                for key, account in answer.post_accounts()
            }
            return cls(None, answer.meta(), after)
        shown = RpcSimulateTransactionResult(err=answer.err()).to_json()
        return cls(json.loads(shown)["err"], answer.meta())

    @property
    def logs(self) -> list[str]:
        """What programs logged."""
        logs = list(self.result.logs())
        if self.cut_at is None or not logs:
            return logs if self.is_loaded else []
        program = logs[0].split()[1]
        return [logs[0], f"Program {program} failed: Computational budget exceeded"]

    @property
    def fee(self) -> int:
        """Lamports that the payer pays, whatever became of it."""
        return self.result.fee() + self.priority_fee

    @property
    def compute_units(self) -> int:
        """Units used."""
        if not self.is_loaded:
            return 0
        return (
            self.result.compute_units_consumed() if self.cut_at is None else self.cut_at
        )

    @property
    def is_refused_here(self) -> bool:
        """Whether rules that LiteSVM does not know ended it."""
        return not self.is_loaded or self.cut_at is not None


def to_raw(address: Address, account: Account) -> RawAccount:
    """Gives one of solders' accounts as ours."""
    return RawAccount(
        address,
        Address(bytes(account.owner)),
        account.lamports,
        bytes(account.data),
        account.executable,
    )


def inner_instructions(outcome: Outcome) -> list[dict[str, Any]]:
    """Gives the calls below each outer instruction that made any."""
    if outcome.is_refused_here:
        return []
    return [
        {
            "index": index,
            "instructions": [
                {
                    "programIdIndex": call.instruction().program_id_index,
                    "accounts": list(call.instruction().accounts),
                    "data": base58.b58encode(bytes(call.instruction().data)).decode(),
                    "stackHeight": call.stack_height(),
                }
                for call in calls
            ],
        }
        for index, calls in enumerate(outcome.result.inner_instructions())
        if calls
    ]


def return_data(outcome: Outcome) -> dict[str, Any] | None:
    """Gives what a program returned last, if anything."""
    if outcome.is_refused_here:
        return None
    found = outcome.result.return_data()
    data = bytes(found.data)
    if not data:
        return None
    encoded = base64.b64encode(data).decode()
    return {"programId": str(found.program_id), "data": [encoded, "base64"]}


def build_meta(
    outcome: Outcome,
    keys: LoadedKeys,
    before: Sequence[int],
    after: Sequence[int],
) -> dict[str, Any]:
    """Gives a transaction's `meta`; balances are in the order of the accounts."""
    ran = outcome.is_loaded
    meta: dict[str, Any] = {
        "err": outcome.err,
        "status": {"Ok": None} if outcome.err is None else {"Err": outcome.err},
        "fee": outcome.fee,
        "preBalances": list(before),
        "postBalances": list(after),
        "innerInstructions": inner_instructions(outcome) if ran else None,
        "logMessages": outcome.logs if ran else None,
        "preTokenBalances": [],
        "postTokenBalances": [],
        "rewards": [],
        "loadedAddresses": {
            "writable": [str(one) for one in keys.writable],
            "readonly": [str(one) for one in keys.readonly],
        },
        "computeUnitsConsumed": outcome.compute_units,
    }
    returned = return_data(outcome)
    if returned is not None:
        meta["returnData"] = returned
    return meta


def transaction_version(tx: VersionedTransaction) -> str | int:
    """Gives "legacy", 0 or 1."""
    if isinstance(tx.message, Message):
        return "legacy"
    return 0 if isinstance(tx.message, MessageV0) else 1


def transaction_json(tx: VersionedTransaction) -> dict[str, Any]:
    """Gives a transaction in the encoding "json"."""
    message = tx.message
    shown: dict[str, Any] = {
        "header": {
            "numRequiredSignatures": message.header.num_required_signatures,
            "numReadonlySignedAccounts": message.header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": (
                message.header.num_readonly_unsigned_accounts
            ),
        },
        "accountKeys": [str(one) for one in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programIdIndex": one.program_id_index,
                "accounts": list(one.accounts),
                "data": base58.b58encode(bytes(one.data)).decode(),
                "stackHeight": 1,
            }
            for one in message.instructions
        ],
    }
    if isinstance(message, MessageV1):
        config = message.config
        shown["transactionConfig"] = {
            "computeUnitLimit": config.compute_unit_limit,
            "heapSize": config.heap_size,
            "loadedAccountsDataSizeLimit": config.loaded_accounts_data_size_limit,
            "priorityFee": config.priority_fee,
        }
    if isinstance(message, MessageV0):
        shown["addressTableLookups"] = [
            {
                "accountKey": str(one.account_key),
                "writableIndexes": list(one.writable_indexes),
                "readonlyIndexes": list(one.readonly_indexes),
            }
            for one in message.address_table_lookups
        ]
    return {"signatures": [str(one) for one in tx.signatures], "message": shown}


def error_sentence(err: Any) -> str:
    """Gives an error in the words of an RPC node."""
    match err:
        case {"InstructionError": [index, {"Custom": number}]}:
            return (
                f"Error processing Instruction {index}: "
                f"custom program error: {number:#x}"
            )
        case {"InstructionError": [index, reason]}:
            return f"Error processing Instruction {index}: {_spaced(reason)}"
        case str():
            return _SENTENCES.get(err, _spaced(err))
        case _:
            return _spaced(err)


def _spaced(reason: Any) -> str:
    name = next(iter(reason)) if isinstance(reason, Mapping) else str(reason)
    words = "".join(f" {one.lower()}" if one.isupper() else one for one in name)
    return words.strip()
