"""Where transactions come from: a protocol, and an RPC node behind it.

All listings and transactions are read at the commitment level `confirmed`; which of
them are final is asked of the same node. `scripted` has the source for tests.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flair_client.chain import shapes
from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import find_config_pda, find_repo_pda
from flair_client.chain.rpc import MAX_TRANSACTION_VERSION, Rpc
from flair_client.errors import (
    AccountMissing,
    ObjectInvalid,
    RpcRefused,
    RpcUnavailable,
)
from flair_client.ids import Address
from flair_indexer.decode import signature_bytes

_LEVEL: Final = "confirmed"
_SIGNATURE_LIMIT: Final = 90
_STATUSES: Final = 256
_NOT_FOUND: Final = -32020


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of an address's history.

    Attributes:
        is_failed: whether it changed nothing but the payer's lamports.
        is_final: whether its slot is finalized.
    """

    signature: str
    slot: int
    is_failed: bool = False
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """What a node knows of a transaction."""

    slot: int
    is_failed: bool
    is_final: bool


@dataclass(frozen=True, slots=True)
class AccountHead:
    """How many events an account counts, and the newest one's root."""

    address: bytes
    seq: int
    root: bytes


class UnknownBefore(Exception):
    """The node does not know the transaction that a page is to begin after."""


class Source(Protocol):
    """What an indexer asks."""

    def genesis_hash(self) -> str:
        """The hash that tells this cluster from all others."""

    def slot(self, commitment_level: str) -> int:
        """The newest slot that has reached a commitment level."""

    def signatures(
        self, address: Address, *, before: str | None, until: str | None, limit: int
    ) -> list[Listed]:
        """An address's transactions, newest first.

        Raises:
            UnknownBefore: start anew.
        """

    def transactions(self, signatures: Sequence[str]) -> list[Any]:
        """Transactions in the order asked for, None where the node has none.

        Their shape is not checked.
        """

    def statuses(self, signatures: Sequence[str]) -> list[Status | None]:
        """What is known of them, all of history searched."""

    def block_order(self, slot: int) -> dict[str, int]:
        """The place of each transaction in a block."""

    def account_heads(self) -> list[AccountHead]:
        """Every repository's account, and the Config's."""

    def close(self) -> None:
        """Closes the connections."""


class RpcSource:
    """An RPC node."""

    def __init__(self, rpc: Rpc, program_id: Address, *, batch_size: int = 100) -> None:
        """Asks nothing yet.

        Args:
            rpc: asked at the level `confirmed`.
            program_id: ours.
            batch_size: transactions in one request; 1 asks for each by itself.
        """
        self._rpc = rpc
        self._chain = ChainClient(rpc, program_id)
        self._program_id = program_id
        self._batch_size = batch_size
        # One thread asks ahead while another one may ask for a block's order.
        self._one_at_a_time = threading.Lock()

    def genesis_hash(self) -> str:
        """The hash that tells this cluster from all others."""
        return self._rpc.get_genesis_hash()

    def slot(self, commitment_level: str) -> int:
        """The newest slot that has reached a commitment level."""
        found = self._rpc.ask("getSlot", [{"commitment": commitment_level}])
        return shapes.whole("getSlot", found, "slot")

    def signatures(
        self, address: Address, *, before: str | None, until: str | None, limit: int
    ) -> list[Listed]:
        """An address's transactions, newest first.

        Raises:
            UnknownBefore: start anew.
        """
        method = "getSignaturesForAddress"
        options: dict[str, Any] = {"commitment": _LEVEL, "limit": limit}
        options |= {} if before is None else {"before": before}
        options |= {} if until is None else {"until": until}
        try:
            result = self._rpc.ask(method, [str(address), options])
        except RpcRefused as exc:
            if before is not None and exc.code == _NOT_FOUND:
                raise UnknownBefore from exc
            raise
        found = [_listed(one) for one in shapes.sequence(method, result, "list")]
        if len(found) > limit:
            raise shapes.malformed(method, "list")
        return found

    def transactions(self, signatures: Sequence[str]) -> list[Any]:
        """Transactions in the order asked for, None where the node has none.

        Raises:
            RpcUnavailable: the node answers with other transactions.
        """
        method = "getTransaction"
        options = {
            "commitment": _LEVEL,
            "encoding": "json",
            "maxSupportedTransactionVersion": MAX_TRANSACTION_VERSION,
        }
        found: list[Any] = []
        for start in range(0, len(signatures), self._batch_size):
            part = signatures[start : start + self._batch_size]
            with self._one_at_a_time:
                if self._batch_size == 1:
                    found.append(self._rpc.ask(method, [part[0], options]))
                else:
                    questions = [[one, options] for one in part]
                    found += self._rpc.ask_many(method, questions)
        for signature, one in zip(signatures, found, strict=True):
            _check_signature(signature, one)
        return found

    def statuses(self, signatures: Sequence[str]) -> list[Status | None]:
        """What is known of them, all of history searched."""
        found: list[Status | None] = []
        for start in range(0, len(signatures), _STATUSES):
            part = signatures[start : start + _STATUSES]
            statuses = self._rpc.get_signature_statuses(part, search_history=True)
            found += [
                None
                if one is None
                else Status(one.slot, one.err is not None, one.has_reached("finalized"))
                for one in statuses
            ]
        return found

    def block_order(self, slot: int) -> dict[str, int]:
        """The place of each transaction in a block."""
        method = "getBlock"
        options = {
            "commitment": _LEVEL,
            "transactionDetails": "signatures",
            "rewards": False,
            "maxSupportedTransactionVersion": MAX_TRANSACTION_VERSION,
        }
        with self._one_at_a_time:
            result = self._rpc.ask(method, [slot, options])
        block = shapes.mapping(method, result, "block")
        found = shapes.sequence(method, block.get("signatures"), "list of signatures")
        return {
            shapes.text(method, one, "signature", _SIGNATURE_LIMIT): place
            for place, one in enumerate(found)
        }

    def account_heads(self) -> list[AccountHead]:
        """Every repository's account, and the Config's."""
        try:
            config = self._chain.config()
        except AccountMissing:
            # Before the program is set up there are no repositories either.
            return []
        where = find_config_pda(self._program_id)[0]
        heads = [AccountHead(where.raw, config.event_seq, config.history_root.raw)]
        for repo in self._chain.repos():
            where = find_repo_pda(repo.creator, repo.name, self._program_id)[0]
            heads.append(AccountHead(where.raw, repo.event_seq, repo.history_root.raw))
        return heads

    def close(self) -> None:
        """Closes the connections."""
        self._rpc.close()


def _listed(item: Any) -> Listed:
    method = "getSignaturesForAddress"
    entry = shapes.mapping(method, item, "entry")
    signature = shapes.text(
        method, entry.get("signature"), "signature", _SIGNATURE_LIMIT
    )
    try:
        signature_bytes(signature)
    except ObjectInvalid as exc:
        raise shapes.malformed(method, "signature") from exc
    return Listed(
        signature,
        shapes.whole(method, entry.get("slot"), "slot"),
        entry.get("err") is not None,
        entry.get("confirmationStatus") == "finalized",
    )


def _check_signature(signature: str, tx_json: Any) -> None:
    """Refuses an answer that is another transaction; anything else is decoding's."""
    try:
        given = tx_json["transaction"]["signatures"][0]
    except (KeyError, IndexError, TypeError):
        return
    if given != signature:
        raise RpcUnavailable("getTransaction: the answer is another transaction")
