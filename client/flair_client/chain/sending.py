"""Sends a transaction until it is confirmed, refused, or can no longer be taken.

The same bytes are sent again and again: the cluster takes them once. Only when their
blockhash has expired and the cluster does not know them are new bytes made.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flair_client.chain import shapes
from flair_client.chain.errors import transaction_error
from flair_client.chain.events import EventBytes
from flair_client.chain.instructions import Instruction
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.priority import budget_of, priority_price
from flair_client.chain.rpc import LatestBlockhash, Rpc, SignatureStatus
from flair_client.chain.signer import Signer
from flair_client.chain.transactions import (
    TRANSACTION_LIMIT,
    CoSigner,
    SignedTransaction,
    events_from_transaction,
    sign_transaction,
    unsigned_wire,
)
from flair_client.errors import RpcRefused, RpcTimeout, RpcUnavailable
from flair_client.ids import Address

PREFLIGHT_FAILED: Final = -32002
NODE_BEHIND: Final = -32005
BLOCKHASH_UNKNOWN: Final = "BlockhashNotFound"
ALREADY_PROCESSED: Final = "AlreadyProcessed"
_POLL_S: Final = 0.1
_POLL_LIMIT_S: Final = 1.0
_RESEND_S: Final = 2.0
_BUILDS: Final = 4
_FETCHES: Final = 8
# A blockhash holds for 150 blocks, about a minute. An RPC whose height stands still for
# so much longer is stuck, and one that calls a transaction processed for another 150
# blocks is on a fork that nobody builds on.
_DELIVER_LIMIT_S: Final = 300.0
_SETTLE_BLOCKS: Final = 150


@dataclass(frozen=True, slots=True)
class TxResult:
    """A confirmed transaction."""

    signature: str
    slot: int
    events: list[EventBytes]
    compute_units: int
    fee_lamports: int


def send_instructions(
    rpc: Rpc,
    instructions: Sequence[Instruction],
    signers: Sequence[Signer],
    *,
    compute_units: int | None = None,
    program_id: Address = PROGRAM_ID,
    now: Callable[[], float] = time.monotonic,
) -> TxResult:
    """Signs, sends and waits until confirmed.

    Raises:
        ProgramRefused: the program or the runtime refused.
        RpcTimeout: not confirmed before its blockhash expired, several times over; or
            the RPC is stuck, and the transaction may still be taken.
        RpcUnavailable: the RPC gives no usable answers.
        UsageError: too big, or the wrong signers.
    """
    price = 0 if compute_units is not None else _price(rpc, instructions, signers)
    for _ in range(_BUILDS):
        latest = rpc.get_latest_blockhash()
        budget = {} if compute_units is None else {"compute_units": compute_units}
        if price:
            budget = _budget(rpc, instructions, signers, latest.blockhash, price)
        signed = sign_transaction(instructions, signers, latest.blockhash, **budget)
        status = _deliver(rpc, signed, latest, now)
        if status is not None:
            return read_result(rpc, signed.signature, status, program_id)
    raise RpcTimeout(f"the transaction was not taken in {_BUILDS} attempts")


def _price(
    rpc: Rpc, instructions: Sequence[Instruction], signers: Sequence[Signer]
) -> int:
    # A sponsor pays for what was agreed, and for no more.
    if any(isinstance(one, CoSigner) for one in signers):
        return 0
    return priority_price(rpc, instructions)


def _budget(
    rpc: Rpc,
    instructions: Sequence[Instruction],
    signers: Sequence[Signer],
    blockhash: str,
    price: int,
) -> dict[str, int]:
    """Gives what to offer by a trial run; nothing where it fails or does not fit.

    The trial is not signed: whoever is asked for it could send it otherwise.
    """
    payer = signers[0].address
    trial = rpc.simulate_transaction(
        unsigned_wire(instructions, payer, blockhash), check_signatures=False
    )
    if trial.err is not None or not trial.compute_units:
        return {}
    found = budget_of(trial.compute_units, price, rpc.priority_cap)
    offer = {"compute_units": found.compute_units, "unit_price": found.unit_price}
    size = len(unsigned_wire(instructions, payer, blockhash, **offer))
    return offer if size <= TRANSACTION_LIMIT else {}


def wait_confirmed(rpc: Rpc, signature: str, *, timeout_s: float = 60.0) -> None:
    """Waits until a transaction that somebody else sent is confirmed.

    Raises:
        ProgramRefused: it failed.
        RpcTimeout: not confirmed in time.
    """
    waited = 0.0
    pause = _POLL_S
    while waited < timeout_s:
        if _is_final(rpc, _status(rpc, signature)):
            return
        rpc.sleep(pause)
        waited += pause
        pause = min(2 * pause, _POLL_LIMIT_S)
    raise RpcTimeout(f"transaction {signature} is not confirmed after {timeout_s:g} s")


def _deliver(
    rpc: Rpc,
    signed: SignedTransaction,
    latest: LatestBlockhash,
    now: Callable[[], float],
) -> SignatureStatus | None:
    """Gives the status when confirmed; None when the bytes can no longer be taken.

    Only an RPC that has passed the last block of their blockhash, and knows nothing of
    the bytes there, says that they can no longer be taken.
    """
    begun = now()
    sent_at: float | None = None
    pause = _POLL_S
    while now() - begun <= _DELIVER_LIMIT_S:
        if sent_at is None or now() - sent_at >= _RESEND_S:
            sent_at = now()
            _send(rpc, signed)
        status = _status(rpc, signed.signature)
        if _is_final(rpc, status):
            return status
        last = latest.last_valid_block_height
        if rpc.get_block_height() > last:
            # One URL may be many nodes, and there may be several: that it is over, and
            # that nothing is known, must be said by nodes that are equally far.
            moment = rpc.get_moment()
            status, said_at = rpc.get_status_at(signed.signature)
            if _is_final(rpc, status):
                return status
            is_over = moment.block_height > last and said_at >= moment.slot
            if status is None and is_over:
                return None
            if moment.block_height > last + _SETTLE_BLOCKS and status is not None:
                break
        rpc.sleep(pause)
        pause = min(2 * pause, _POLL_LIMIT_S)
    raise RpcTimeout(
        f"transaction {signed.signature} is neither confirmed nor given up by the RPC"
    )


def _send(rpc: Rpc, signed: SignedTransaction) -> None:
    try:
        rpc.send_transaction(signed.wire)
    except RpcUnavailable:
        # It may have arrived all the same; the status will tell.
        return
    except RpcRefused as exc:
        if exc.code == NODE_BEHIND:
            return
        err = exc.data.get("err") if isinstance(exc.data, dict) else None
        if exc.code != PREFLIGHT_FAILED or err is None:
            raise
        if err in (BLOCKHASH_UNKNOWN, ALREADY_PROCESSED):
            return
        # A trial run also fails when these very bytes have been taken already.
        if _status(rpc, signed.signature) is None:
            raise transaction_error(err) from exc


def _status(rpc: Rpc, signature: str) -> SignatureStatus | None:
    (status,) = rpc.get_signature_statuses([signature])
    return status


def _is_final(rpc: Rpc, status: SignatureStatus | None) -> bool:
    """Tells whether a status says that the transaction took effect.

    Raises:
        ProgramRefused: it says that the transaction failed.
    """
    if status is None or not status.has_reached(rpc.commitment_level):
        return False
    rpc.read_from(status.slot)
    if status.err is not None:
        raise transaction_error(status.err)
    return True


def read_result(
    rpc: Rpc, signature: str, status: SignatureStatus, program_id: Address
) -> TxResult:
    """Gives what a confirmed transaction did.

    Raises:
        RpcTimeout: the RPC knows the status but never gives the transaction.
        ProgramRefused: it failed.
    """
    tx_json = fetch_transaction(rpc, signature)
    meta: Any = tx_json.get("meta")
    if not isinstance(meta, dict):
        raise RpcUnavailable(f"getTransaction: {signature} comes without its outcome")
    if meta.get("err") is not None:
        raise transaction_error(meta["err"])
    return TxResult(
        signature=signature,
        slot=status.slot,
        events=events_from_transaction(tx_json, program_id),
        compute_units=_count(meta, "computeUnitsConsumed"),
        fee_lamports=_count(meta, "fee"),
    )


def _count(meta: dict[str, Any], name: str) -> int:
    # Old transactions have no compute units.
    return shapes.whole("getTransaction", meta.get(name) or 0, name)


def fetch_transaction(rpc: Rpc, signature: str) -> dict[str, Any]:
    """Gives a transaction that is known to be confirmed.

    A node may know the status before it can give the transaction.

    Raises:
        RpcTimeout: it never gives it.
    """
    pause = _POLL_S
    for _ in range(_FETCHES):
        tx_json = rpc.get_transaction(signature)
        if tx_json is not None:
            return tx_json
        rpc.sleep(pause)
        pause = min(2 * pause, 2.0)
    raise RpcTimeout(f"the RPC does not give the confirmed transaction {signature}")
