"""Methods that read transactions of the past."""

import base64
from typing import Any, Final

import base58
from solders.transaction import VersionedTransaction

from flair_client.localnet.faults import (
    TRANSACTION_NOT_FOUND,
    UNSUPPORTED_VERSION,
    RpcFault,
    invalid_params,
)
from flair_client.localnet.ledger import Entry
from flair_client.localnet.methods.registry import Node, method, with_context
from flair_client.localnet.outcomes import transaction_json, transaction_version
from flair_client.localnet.params import (
    Params,
    check_context_slot,
    option_whole,
    parse_signature,
)

_STATUSES_LIMIT: Final = 256
_HISTORY_LIMIT: Final = 1000


@method("getSignatureStatuses", 2, least=1)
def get_signature_statuses(node: Node, params: Params) -> dict[str, Any]:
    """How far transactions have come: on disk is final here."""
    signatures = [parse_signature(one) for one in params.array(0, _STATUSES_LIMIT)]
    params.options(1)
    entries = [node.bank.ledger.entry(one) for one in signatures]
    return with_context(
        node, [None if entry is None else _status(entry) for entry in entries]
    )


def _status(entry: Entry) -> dict[str, Any]:
    return {
        "slot": entry.moment.slot,
        "confirmations": None,
        "err": entry.meta["err"],
        "status": entry.meta["status"],
        "confirmationStatus": "finalized",
    }


@method("getTransaction", 2, least=1)
def get_transaction(node: Node, params: Params) -> dict[str, Any] | None:
    """A transaction with its outcome, or null."""
    signature = parse_signature(params.must(0))
    # The second parameter may also be just the encoding.
    given = params.get(1)
    options = {"encoding": given} if isinstance(given, str) else params.options(1)
    _check_level(options)
    entry = node.bank.ledger.entry(signature)
    if entry is None:
        return None
    tx = VersionedTransaction.from_bytes(entry.wire)
    version = transaction_version(tx)
    shown = {
        "slot": entry.moment.slot,
        "blockTime": entry.moment.unix_timestamp,
        "transaction": _encode(tx, entry.wire, options.get("encoding") or "json"),
        "meta": dict(entry.meta),
        # Each transaction has a slot of its own.
        "transactionIndex": 0,
    }
    supported = options.get("maxSupportedTransactionVersion")
    if supported is None:
        if version != "legacy":
            raise _unsupported(version)
        # As on a real node: a version only for those who know of versions.
        return shown
    if version != "legacy" and int(version) > option_whole(
        options, "maxSupportedTransactionVersion", 0
    ):
        raise _unsupported(version)
    return {**shown, "version": version}


def _unsupported(version: str | int) -> RpcFault:
    return RpcFault(
        UNSUPPORTED_VERSION,
        f"Transaction version ({version}) is not supported by the requesting client. "
        "Please try the request again with the following configuration parameter: "
        f'"maxSupportedTransactionVersion": {version}',
    )


def _encode(tx: VersionedTransaction, wire: bytes, encoding: str) -> Any:
    match encoding:
        # Instructions are not parsed; "json" is what a node without parsers gives.
        case "json" | "jsonParsed":
            return transaction_json(tx)
        case "base64":
            return [base64.b64encode(wire).decode(), "base64"]
        case "base58":
            return [base58.b58encode(wire).decode(), "base58"]
        case "binary":
            return base58.b58encode(wire).decode()
    raise invalid_params(f"Invalid params: unknown variant {encoding!r}.")


@method("getSignaturesForAddress", 2, least=1)
def get_signatures_for_address(node: Node, params: Params) -> list[dict[str, Any]]:
    """An address's transactions, newest first."""
    address = params.address(0)
    options = params.options(1)
    _check_level(options)
    check_context_slot(options, node.bank.clock.now().slot)
    limit = option_whole(options, "limit", _HISTORY_LIMIT)
    if not 1 <= limit <= _HISTORY_LIMIT:
        raise invalid_params(f"Invalid limit; max {_HISTORY_LIMIT}")
    below = _slot_of(node, options.get("before"))
    until = _slot_of(node, options.get("until"))
    above = -1 if until is None else until
    entries = node.bank.ledger.history(address, above=above, below=below, limit=limit)
    return [
        {
            "signature": base58.b58encode(entry.signature).decode(),
            "slot": entry.moment.slot,
            "err": entry.meta["err"],
            "memo": None,
            "blockTime": entry.moment.unix_timestamp,
            "confirmationStatus": "finalized",
            "transactionIndex": 0,
        }
        for entry in entries
    ]


def _check_level(options: dict[str, Any]) -> None:
    if options.get("commitment") == "processed":
        raise invalid_params("Method does not support commitment below `confirmed`")


def _slot_of(node: Node, signature: Any) -> int | None:
    if signature is None:
        return None
    entry = node.bank.ledger.entry(parse_signature(signature))
    if entry is None:
        raise RpcFault(TRANSACTION_NOT_FOUND, f"Transaction {signature} not found")
    return entry.moment.slot
