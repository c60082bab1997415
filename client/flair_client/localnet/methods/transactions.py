"""Methods that take transactions: send, simulate, airdrop."""

import base64
import binascii
from typing import Any, Final

import base58
from solders.hash import Hash
from solders.message import MessageV1
from solders.transaction import SanitizeError, VersionedTransaction

from flair_client.chain.instructions import AccountMeta, Instruction
from flair_client.chain.pdas import SYSTEM_PROGRAM_ID
from flair_client.chain.transactions import sign_transaction
from flair_client.ids import Address
from flair_client.localnet.account_views import View
from flair_client.localnet.clock import BLOCKHASH_SLOTS
from flair_client.localnet.faults import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PREFLIGHT_FAILURE,
    RpcFault,
    invalid_params,
)
from flair_client.localnet.methods.registry import Node, method, with_context
from flair_client.localnet.outcomes import (
    SIGNATURE_FAILURE,
    Outcome,
    error_sentence,
    inner_instructions,
    load_keys,
    return_data,
)
from flair_client.localnet.params import (
    Params,
    check_context_slot,
    option_flag,
    parse_address,
)

_WIRE_LIMIT: Final = 1232
_WIRE_LIMIT_V1: Final = 4096
_ACCOUNTS_LIMIT: Final = 10
_BALANCES: Final = (
    "preBalances",
    "postBalances",
    "preTokenBalances",
    "postTokenBalances",
)
_TRANSFER: Final = (2).to_bytes(4, "little")


@method("sendTransaction", 2, least=1)
def send_transaction(node: Node, params: Params) -> str:
    """Takes a transaction; when this answers it is on disk."""
    options = params.options(1)
    tx = read_transaction(params.text(0), options.get("encoding") or "base58")
    check_context_slot(options, node.bank.clock.now().slot)
    skip_preflight = option_flag(options, "skipPreflight")
    if not skip_preflight:
        _preflight(node, tx)
    # Without preflight a transaction that cannot be taken vanishes, as it would on a
    # cluster.
    if _is_signed(tx):
        node.bank.process(tx)
    return str(tx.signatures[0])


def _is_signed(tx: VersionedTransaction) -> bool:
    return all(tx.verify_with_results())


def _preflight(node: Node, tx: VersionedTransaction) -> None:
    err, outcome = _try(node, tx, verify=True)
    if err is not None:
        raise RpcFault(
            PREFLIGHT_FAILURE,
            f"Transaction simulation failed: {error_sentence(err)}",
            {
                "err": err,
                "accounts": None,
                **_shown(outcome),
                "loadedAddresses": None,
                **dict.fromkeys(_BALANCES),
            },
        )


def _try(
    node: Node, tx: VersionedTransaction, *, verify: bool, replace: bool = False
) -> tuple[Any, Outcome | None]:
    """Gives the error of a trial run, and its outcome where it came so far."""
    if verify and not _is_signed(tx):
        return SIGNATURE_FAILURE, None
    refused = None if replace else node.bank.refusal(tx)
    if refused is not None:
        return refused, None
    outcome = node.bank.simulate(tx)
    return outcome.err, outcome


def _shown(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {
            "fee": None,
            "logs": [],
            "unitsConsumed": 0,
            "returnData": None,
            "innerInstructions": None,
            "loadedAccountsDataSize": 0,
            "replacementBlockhash": None,
        }
    return {
        "fee": outcome.fee,
        "logs": outcome.logs,
        "unitsConsumed": outcome.compute_units,
        "returnData": return_data(outcome),
        "innerInstructions": None,
        "loadedAccountsDataSize": outcome.loaded_size,
        "replacementBlockhash": None,
    }


def _around(
    node: Node, tx: VersionedTransaction, err: Any, outcome: Outcome | None
) -> dict[str, Any]:
    """Balances before and after a trial run, and what tables were looked up."""
    keys = load_keys(node.bank.svm, tx.message)
    loaded = {
        "writable": [str(one) for one in keys.writable],
        "readonly": [str(one) for one in keys.readonly],
    }
    if err == SIGNATURE_FAILURE:
        return {"loadedAddresses": loaded, **dict.fromkeys(_BALANCES)}
    before = [node.bank.balance(one) for one in keys.all]
    changed = {} if outcome is None or err is not None else dict(outcome.accounts)
    after = [
        changed[one].lamports if one in changed else held
        for one, held in zip(keys.all, before, strict=True)
    ]
    if outcome is not None and err is not None:
        after[0] = max(0, after[0] - outcome.fee)
    return {
        "loadedAddresses": loaded,
        "preBalances": before,
        "postBalances": after,
        "preTokenBalances": [],
        "postTokenBalances": [],
    }


@method("simulateTransaction", 2, least=1)
def simulate_transaction(node: Node, params: Params) -> dict[str, Any]:
    """What a transaction would do."""
    options = params.options(1)
    tx = read_transaction(params.text(0), options.get("encoding") or "base58")
    check_context_slot(options, node.bank.clock.now().slot)
    replace = option_flag(options, "replaceRecentBlockhash")
    verify = option_flag(options, "sigVerify")
    if replace and verify:
        raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
    err, outcome = _try(node, tx, verify=verify, replace=replace)
    value = {
        "err": err,
        **_shown(outcome),
        **_around(node, tx, err, outcome),
        "accounts": _wanted_accounts(node, options, outcome),
    }
    if outcome is not None and option_flag(options, "innerInstructions"):
        value["innerInstructions"] = inner_instructions(outcome)
    if replace:
        value["replacementBlockhash"] = _replacement(node)
    return with_context(node, value)


def _replacement(node: Node) -> dict[str, Any]:
    slot = node.bank.clock.now().slot
    blockhash = Hash.from_bytes(node.bank.blockhashes.of_slot(slot))
    return {"blockhash": str(blockhash), "lastValidBlockHeight": slot + BLOCKHASH_SLOTS}


def _wanted_accounts(
    node: Node, options: dict[str, Any], outcome: Outcome | None
) -> list[Any] | None:
    wanted = options.get("accounts")
    if wanted is None:
        return None
    addresses = wanted.get("addresses") if isinstance(wanted, dict) else None
    if not isinstance(addresses, list):
        raise invalid_params("accounts must have addresses")
    if len(addresses) > _ACCOUNTS_LIMIT:
        raise invalid_params(f"Too many accounts provided; max {_ACCOUNTS_LIMIT}")
    view = View.read({"encoding": "base64", **wanted})
    if view.encoding in ("binary", "base58"):
        raise invalid_params("base58 encoding not supported")
    changed = {} if outcome is None else outcome.accounts
    shown = []
    for one in addresses:
        address = parse_address(one)
        account = changed.get(address) or node.bank.account(address)
        shown.append(None if account is None else view.show(account))
    return shown


def read_transaction(text: str, encoding: str) -> VersionedTransaction:
    """Decodes a transaction and checks that it is well formed.

    Raises:
        RpcFault: too large, not decodable, or malformed.
    """
    # Both encodings take at most two characters per byte.
    if encoding not in ("base58", "base64"):
        raise invalid_params(f"Invalid params: unknown variant {encoding!r}.")
    if len(text) > 2 * _WIRE_LIMIT_V1:
        raise invalid_params(f"{encoding} encoded transaction too large")
    try:
        if encoding == "base58":
            raw = base58.b58decode(text)
        else:
            raw = base64.b64decode(text, validate=True)
        tx = VersionedTransaction.from_bytes(raw)
        limit = _WIRE_LIMIT_V1 if isinstance(tx.message, MessageV1) else _WIRE_LIMIT
        if len(raw) > limit:
            raise invalid_params(
                f"decoded transaction too large: {len(raw)} bytes (max: {limit} bytes)"
            )
        if bytes(tx) != raw:
            raise invalid_params("failed to decode the transaction: bytes left over")
        tx.sanitize()
    except SanitizeError as exc:
        raise invalid_params(f"invalid transaction: {exc}") from exc
    except (ValueError, binascii.Error) as exc:
        raise invalid_params(f"failed to decode the transaction: {exc}") from exc
    return tx


@method("requestAirdrop", 3, least=2)
def request_airdrop(node: Node, params: Params) -> str:
    """Money from the faucet, by an ordinary transfer."""
    address = params.address(0)
    lamports = params.whole(1)
    params.options(2)
    if node.faucet is None:
        raise RpcFault(INVALID_REQUEST, "this chain has no faucet")
    if lamports > node.airdrop_limit_lamports:
        raise invalid_params(
            f"at most {node.airdrop_limit_lamports} lamports are given at once"
        )
    for attempt in range(2, 1_000):
        tx = _airdrop(node, address, lamports, attempt)
        done = node.bank.process(tx)
        if done.err is None:
            return str(tx.signatures[0])
        if done.err != "AlreadyProcessed":
            break
    raise RpcFault(INTERNAL_ERROR, f"airdrop failed: {error_sentence(done.err)}")


def _airdrop(
    node: Node, address: Address, lamports: int, attempt: int
) -> VersionedTransaction:
    faucet = node.faucet
    if faucet is None:
        raise RpcFault(INVALID_REQUEST, "this chain has no faucet")
    slot = node.bank.clock.now().slot
    transfer = Instruction(
        SYSTEM_PROGRAM_ID,
        (
            AccountMeta(faucet.address, is_signer=True, is_writable=True),
            AccountMeta(address, is_signer=False, is_writable=True),
        ),
        _TRANSFER + lamports.to_bytes(8, "little"),
        "transfer",
    )
    signed = sign_transaction(
        [transfer],
        [faucet],
        str(Hash.from_bytes(node.bank.blockhashes.of_slot(slot))),
        # Two equal gifts in one slot must differ in something.
        compute_units=attempt * 1_000,
    )
    return VersionedTransaction.from_bytes(signed.wire)
