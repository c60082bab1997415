"""Methods about the chain as a whole: time, hashes, fees."""

import base64
import binascii
from importlib.metadata import version
from typing import Any

from solders.hash import Hash
from solders.message import from_bytes_versioned
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from flair_client.localnet.bank import Bank
from flair_client.localnet.clock import BLOCKHASH_SLOTS, SLOT_MS, SLOTS_PER_EPOCH
from flair_client.localnet.faults import (
    BLOCK_NOT_AVAILABLE,
    INVALID_REQUEST,
    RpcFault,
    invalid_params,
)
from flair_client.localnet.genesis import genesis_moment
from flair_client.localnet.methods.registry import Node, method, with_context
from flair_client.localnet.params import Params, check_context_slot, parse_address

_LARGEST_ACCOUNT = 10 * 1024 * 1024


@method("getHealth", 0)
def get_health(_node: Node, _params: Params) -> str:
    """Always "ok": a node that answers is healthy."""
    return "ok"


@method("getVersion", 0)
def get_version(_node: Node, _params: Params) -> dict[str, Any]:
    """Says that this is no validator."""
    return {"solana-core": f"{version('flair-hub')}-flair-localnet", "feature-set": 0}


@method("getAgGenesisCert", 0)
def get_ag_genesis_cert(_node: Node, _params: Params) -> None:
    """Nothing: this chain does not run Alpenglow, as a node says by null."""


@method("getFirstAvailableBlock", 0)
def get_first_available_block(_node: Node, _params: Params) -> int:
    """The genesis: nothing is ever pruned."""
    return 0


@method("minimumLedgerSlot", 0)
def minimum_ledger_slot(_node: Node, _params: Params) -> int:
    """The genesis: nothing is ever pruned."""
    return 0


@method("getGenesisHash", 0)
def get_genesis_hash(node: Node, _params: Params) -> str:
    """The hash made at the first start."""
    return node.genesis_hash


def _slot(node: Node, params: Params) -> int:
    slot = node.bank.clock.now().slot
    check_context_slot(params.options(0), slot)
    return slot


@method("getSlot", 1)
def get_slot(node: Node, params: Params) -> int:
    """The current slot."""
    return _slot(node, params)


@method("getBlockHeight", 1)
def get_block_height(node: Node, params: Params) -> int:
    """The current slot: no slot is ever skipped."""
    return _slot(node, params)


@method("getTransactionCount", 1)
def get_transaction_count(node: Node, params: Params) -> int:
    """Transactions so far."""
    _slot(node, params)
    return node.bank.ledger.n_transactions()


@method("getEpochInfo", 1)
def get_epoch_info(node: Node, params: Params) -> dict[str, int]:
    """Where the current slot lies in its epoch."""
    slot = _slot(node, params)
    return {
        "absoluteSlot": slot,
        "blockHeight": slot,
        "epoch": slot // SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": node.bank.ledger.n_transactions(),
    }


@method("getBlockTime", 1, least=1)
def get_block_time(node: Node, params: Params) -> int:
    """A slot's time, counted from the last transaction before it or the genesis."""
    slot = params.whole(0)
    now = node.bank.clock.now()
    if slot > now.slot:
        raise RpcFault(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    before = node.bank.ledger.block_time(slot) or genesis_moment(node.bank.ledger)
    return (before.unix_ms + (slot - before.slot) * SLOT_MS) // 1000


@method("getLatestBlockhash", 1)
def get_latest_blockhash(node: Node, params: Params) -> dict[str, Any]:
    """The current slot's blockhash and how long it holds."""
    slot = _slot(node, params)
    return with_context(
        node,
        {
            "blockhash": str(Hash.from_bytes(node.bank.blockhashes.of_slot(slot))),
            "lastValidBlockHeight": slot + BLOCKHASH_SLOTS,
        },
    )


@method("isBlockhashValid", 2, least=1)
def is_blockhash_valid(node: Node, params: Params) -> dict[str, Any]:
    """Whether a transaction may still use a blockhash."""
    blockhash = Hash.from_bytes(params.address(0).raw)
    check_context_slot(params.options(1), node.bank.clock.now().slot)
    return with_context(node, node.bank.is_blockhash_valid(blockhash))


@method("getFeeForMessage", 2, least=1)
def get_fee_for_message(node: Node, params: Params) -> dict[str, Any]:
    """The fee of a message; null where its blockhash is not valid."""
    check_context_slot(params.options(1), node.bank.clock.now().slot)
    try:
        raw = base64.b64decode(params.text(0), validate=True)
        message = from_bytes_versioned(raw)
    except (ValueError, binascii.Error) as exc:
        raise invalid_params("failed to decode the message") from exc
    signatures = [Signature.default()] * message.header.num_required_signatures
    tx = VersionedTransaction.populate(message, signatures)
    return with_context(node, _fee(node.bank, tx))


def _fee(bank: Bank, tx: VersionedTransaction) -> int | None:
    if not bank.is_blockhash_valid(tx.message.recent_blockhash):
        return None
    return bank.simulate(tx).fee


@method("getRecentPrioritizationFees", 1)
def get_recent_prioritization_fees(node: Node, params: Params) -> list[dict[str, int]]:
    """Nobody has to pay for priority here."""
    for one in params.array(0, 128) if params.values else []:
        parse_address(one)
    return [{"slot": node.bank.clock.now().slot, "prioritizationFee": 0}]


@method("getMinimumBalanceForRentExemption", 2, least=1)
def get_minimum_balance(node: Node, params: Params) -> int:
    """What an account of this size must hold."""
    size = params.whole(0)
    if size > _LARGEST_ACCOUNT:
        raise RpcFault(INVALID_REQUEST, "Invalid request")
    params.options(1)
    return node.bank.svm.minimum_balance_for_rent_exemption(size)
