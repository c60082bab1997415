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
from flair_client.ids import Address

BLOCKHASH_NOT_FOUND: Final = "BlockhashNotFound"
ALREADY_PROCESSED: Final = "AlreadyProcessed"
SIGNATURE_FAILURE: Final = "SignatureFailure"
_SENTENCES: Final = {
    BLOCKHASH_NOT_FOUND: "Blockhash not found",
    ALREADY_PROCESSED: "This transaction has already been processed",
    "AccountNotFound": (
        "Attempt to debit an account but found no record of a prior credit."
    ),
    "InsufficientFundsForFee": "Insufficient funds for fee",
    SIGNATURE_FAILURE: "Transaction did not pass signature verification",
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
    """

    err: Any
    result: TransactionMetadata
    accounts: Mapping[Address, RawAccount] = field(default_factory=dict)

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
        return list(self.result.logs())


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
    meta: dict[str, Any] = {
        "err": outcome.err,
        "status": {"Ok": None} if outcome.err is None else {"Err": outcome.err},
        "fee": outcome.result.fee(),
        "preBalances": list(before),
        "postBalances": list(after),
        "innerInstructions": inner_instructions(outcome),
        "logMessages": outcome.logs,
        "preTokenBalances": [],
        "postTokenBalances": [],
        "rewards": [],
        "loadedAddresses": {
            "writable": [str(one) for one in keys.writable],
            "readonly": [str(one) for one in keys.readonly],
        },
        "computeUnitsConsumed": outcome.result.compute_units_consumed(),
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
