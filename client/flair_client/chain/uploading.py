"""Writes code into a buffer on chain: many small transactions, none of them twice.

What is in the buffer is read and only what is missing is sent, again until nothing is.
So it goes on after any interruption, and writing the same bytes twice does no harm.
"""

from collections.abc import Callable
from typing import Final

from flair_client.chain.loader import BUFFER_HEADER, CHUNK, buffer_write, read_buffer
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import Signer
from flair_client.chain.transactions import sign_transaction
from flair_client.errors import (
    AccountInvalid,
    AccountMissing,
    RpcRefused,
    RpcTimeout,
    RpcUnavailable,
)
from flair_client.ids import Address

# So many are on their way at once; a node takes them as fast as it can.
_WINDOW: Final = 64
_POLL_S: Final = 0.2
_POLLS: Final = 100
# Passes over the whole buffer in which nothing arrived.
_PATIENCE: Final = 4


def missing_parts(code: bytes, held: bytes) -> list[tuple[int, bytes]]:
    """Gives what a buffer lacks, as offsets and bytes."""
    return [
        (offset, code[offset : offset + CHUNK])
        for offset in range(0, len(code), CHUNK)
        if held[offset : offset + CHUNK] != code[offset : offset + CHUNK]
    ]


def upload(
    rpc: Rpc,
    signer: Signer,
    buffer: Address,
    code: bytes,
    arrived: Callable[[int], None] = lambda _n: None,
) -> int:
    """Writes code into a buffer until all of it is there; gives the bytes sent.

    Args:
        rpc: the cluster.
        signer: pays, and is the buffer's authority.
        buffer: made already.
        code: what it shall hold.
        arrived: hears of bytes as they are seen there.

    Raises:
        RpcTimeout: again and again nothing arrived; what did is not lost.
        AccountInvalid: it is no buffer for this code.
    """
    idle, left, n_sent = 0, len(code), 0
    while True:
        parts = missing_parts(code, _read(rpc, buffer, signer.address, len(code)))
        now_left = sum(len(part) for _, part in parts)
        arrived(left - now_left)
        idle = 0 if now_left < left or n_sent == 0 else idle + 1
        left = now_left
        if not parts:
            return n_sent
        if idle == _PATIENCE:
            raise RpcTimeout(f"{left} bytes of the code do not arrive in {buffer}")
        for at in range(0, len(parts), _WINDOW):
            window = parts[at : at + _WINDOW]
            n_sent += sum(len(part) for _, part in window)
            _send(rpc, signer, buffer, window)


def _read(rpc: Rpc, buffer: Address, authority: Address, size: int) -> bytes:
    raw = rpc.get_account(buffer)
    if raw is None:
        raise AccountMissing(buffer, "buffer")
    found = read_buffer(raw)
    if found.authority != authority or len(raw.data) != BUFFER_HEADER + size:
        raise AccountInvalid(buffer, "a buffer of somebody else, or of another size")
    return found.code


def _send(
    rpc: Rpc, signer: Signer, buffer: Address, parts: list[tuple[int, bytes]]
) -> None:
    blockhash = rpc.get_latest_blockhash().blockhash
    signatures = []
    for offset, part in parts:
        instruction = buffer_write(buffer, signer.address, offset, part)
        signed = sign_transaction([instruction], [signer], blockhash)
        try:
            rpc.send_transaction(signed.wire, preflight=False)
        except (RpcRefused, RpcUnavailable):
            # What did not arrive is missing in the next pass.
            continue
        signatures.append(signed.signature)
    _wait(rpc, signatures)


def _wait(rpc: Rpc, signatures: list[str]) -> None:
    """Waits until all are confirmed, or for long enough."""
    for _ in range(_POLLS):
        found = rpc.get_signature_statuses(signatures)
        reached = [one for one in found if one and one.has_reached("confirmed")]
        if reached:
            rpc.read_from(max(one.slot for one in reached))
        if len(reached) == len(signatures):
            return
        rpc.sleep(_POLL_S)
