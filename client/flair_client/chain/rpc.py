"""Solana's JSON-RPC, the part that Flair uses, with checked answers.

Every read names its commitment level. Accounts come as raw bytes; what they mean is
`chain.client`'s business. A method a request, which is why this file is long.
"""

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from flair_client.chain import shapes
from flair_client.chain.accounts import RawAccount
from flair_client.chain.endpoints import Endpoints
from flair_client.chain.transport import OPEN_DOOR, Door, Patience, Transport
from flair_client.errors import (
    AccountInvalid,
    RpcRefused,
    RpcUnavailable,
)
from flair_client.ids import Address

COMMITMENT_LEVELS: Final = ("processed", "confirmed", "finalized")
MAX_TRANSACTION_VERSION: Final = 1
_SIGNATURES_LIMIT: Final = 1000
_ACCOUNTS_LIMIT: Final = 100
_STATUSES_LIMIT: Final = 256
_FEE_ACCOUNTS_LIMIT: Final = 128


@dataclass(frozen=True, slots=True)
class LatestBlockhash:
    """A blockhash and the last block height at which it may be used."""

    blockhash: str
    last_valid_block_height: int


@dataclass(frozen=True, slots=True)
class SignatureStatus:
    """How far a transaction has come.

    Attributes:
        slot: where it was processed.
        err: as the RPC writes it; None where it succeeded.
        commitment_level: reached so far.
    """

    slot: int
    err: Any
    commitment_level: str

    def has_reached(self, level: str) -> bool:
        """Tells whether at least this commitment level is reached."""
        order = COMMITMENT_LEVELS
        return order.index(self.commitment_level) >= order.index(level)


@dataclass(frozen=True, slots=True)
class Moment:
    """How far one node is.

    Attributes:
        slot, block_height: of the same block.
    """

    slot: int
    block_height: int


@dataclass(frozen=True, slots=True)
class SignatureEntry:
    """A line of an address's history."""

    signature: str
    slot: int
    err: Any


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a transaction would do."""

    err: Any
    logs: tuple[str, ...]
    compute_units: int


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Accounts whose bytes at `offset` are `content`."""

    offset: int
    content: bytes


class Rpc:
    """One cluster, asked through one RPC or through whichever of several answers."""

    def __init__(
        self,
        url: str,
        commitment_level: str = "confirmed",
        *,
        genesis_hash: str | None = None,
        more_urls: Sequence[str] = (),
        door: Door = OPEN_DOOR,
        priority_cap: int = 0,
        timeout_s: float = 30.0,
        patience: Patience | None = None,
        http: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Opens nothing yet.

        Args:
            url: http or https.
            commitment_level: named in every read.
            genesis_hash: of the cluster that this must be; checked before the first
                other request.
            more_urls: of other RPCs of the cluster, asked where the first gives no
                usable answer.
            door: the way out of this network.
            priority_cap: the most that the priority of one transaction may cost, in
                lamports; at 0 none is paid.
            timeout_s: for one attempt.
            patience: attempts, pauses and limits.
            http: carries the requests; another one in tests.
            sleep: waits; another one in tests.
        """
        self.commitment_level = commitment_level
        self.priority_cap = priority_cap
        self._least_slot = 0
        self.sleep = sleep
        patient = patience or Patience(timeout_s=timeout_s)
        self._endpoints = Endpoints(
            [
                Transport(one, patience=patient, door=door, http=http, sleep=sleep)
                for one in (url, *more_urls)
            ],
            genesis_hash,
        )

    @property
    def url(self) -> str:
        """Where requests go first now."""
        return self._endpoints.url

    def close(self) -> None:
        """Closes the connections."""
        self._endpoints.close()

    def ask(self, method: str, params: list[Any], *, once: bool = False) -> Any:
        """Asks, after checking once that it is the pinned cluster that answers.

        Raises:
            ClusterMismatch: another cluster answers.
            RpcRefused: the RPC answered with an error.
            RpcUnavailable: no usable answer after all attempts.
        """
        return self._endpoints.ask(method, params, once=once)

    def ask_many(self, method: str, questions: list[list[Any]]) -> list[Any]:
        """Asks several times the same method, in one request; otherwise as `ask`."""
        return self._endpoints.ask_many(method, questions)

    def read_from(self, slot: int) -> None:
        """Takes no account or height from now on that is older than `slot`.

        One URL may stand for many nodes, some of them behind: who has just seen its
        transaction confirmed by one must not be told by another that it never was.
        """
        self._least_slot = max(self._least_slot, slot)

    def _level(self, **more: Any) -> dict[str, Any]:
        return {"commitment": self.commitment_level, **more}

    def _fresh(self, **more: Any) -> dict[str, Any]:
        least = {"minContextSlot": self._least_slot} if self._least_slot else {}
        return self._level(**least, **more)

    def get_genesis_hash(self) -> str:
        """Gives the hash that tells this cluster from all others."""
        return self._endpoints.genesis_hash()

    def get_health(self) -> bool:
        """Tells whether the node says that it is healthy."""
        try:
            return bool(self.ask("getHealth", []) == "ok")
        except RpcRefused:
            return False

    def get_version(self) -> str:
        """Gives the version of the node's software."""
        method = "getVersion"
        result = shapes.mapping(method, self.ask(method, []), "result")
        return shapes.text(method, result.get("solana-core"), "version")

    def get_account(self, address: Address) -> RawAccount | None:
        """Gives an account, or None where there is none.

        Raises:
            AccountInvalid: its data cannot be read.
        """
        method = "getAccountInfo"
        params = [str(address), self._fresh(encoding="base64")]
        value = shapes.context_value(method, self.ask(method, params))
        return None if value is None else shapes.account(method, address, value)

    def get_multiple_accounts(
        self, addresses: Sequence[Address]
    ) -> list[RawAccount | None]:
        """Gives accounts in the order asked for, None where there is none."""
        method = "getMultipleAccounts"
        found: list[RawAccount | None] = []
        for start in range(0, len(addresses), _ACCOUNTS_LIMIT):
            part = addresses[start : start + _ACCOUNTS_LIMIT]
            params = [[str(one) for one in part], self._fresh(encoding="base64")]
            value = shapes.context_value(method, self.ask(method, params))
            values = shapes.sequence(method, value, "list of accounts")
            if len(values) != len(part):
                raise shapes.malformed(method, "list of accounts")
            found += [
                None if one is None else shapes.account(method, address, one)
                for address, one in zip(part, values, strict=True)
            ]
        return found

    def get_program_accounts(
        self,
        program_id: Address,
        *,
        size: int | None = None,
        filters: Sequence[AccountFilter] = (),
    ) -> list[RawAccount]:
        """Gives a program's accounts that have this size and these bytes.

        Raises:
            AccountInvalid: the RPC gave an account that was not asked for.
        """
        method = "getProgramAccounts"
        wanted: list[dict[str, Any]] = [] if size is None else [{"dataSize": size}]
        wanted += [
            {
                "memcmp": {
                    "offset": one.offset,
                    "bytes": base64.b64encode(one.content).decode(),
                    "encoding": "base64",
                }
            }
            for one in filters
        ]
        params = [str(program_id), self._fresh(encoding="base64", filters=wanted)]
        found = []
        for item in shapes.sequence(method, self.ask(method, params), "list"):
            entry = shapes.mapping(method, item, "entry")
            where = shapes.address(method, entry.get("pubkey"), "address")
            raw = shapes.account(method, where, entry.get("account"))
            _check_filters(raw, program_id, size, filters)
            found.append(raw)
        return found

    def get_balance(self, address: Address) -> int:
        """Gives an address's lamports; zero where there is no account."""
        method = "getBalance"
        value = self.ask(method, [str(address), self._fresh()])
        return shapes.whole(method, shapes.context_value(method, value), "balance")

    def get_block_height(self) -> int:
        """Gives the number of blocks so far."""
        method = "getBlockHeight"
        return shapes.whole(method, self.ask(method, [self._fresh()]), "height")

    def get_moment(self) -> Moment:
        """Gives slot and block height by one and the same node."""
        method = "getEpochInfo"
        found = shapes.mapping(method, self.ask(method, [self._fresh()]), "result")
        return Moment(
            shapes.whole(method, found.get("absoluteSlot"), "slot"),
            shapes.whole(method, found.get("blockHeight"), "height"),
        )

    def get_status_at(self, signature: str) -> tuple[SignatureStatus | None, int]:
        """Gives a status, all of history searched, and the slot of who says so."""
        method = "getSignatureStatuses"
        result = self.ask(method, [[signature], {"searchTransactionHistory": True}])
        values = shapes.sequence(
            method, shapes.context_value(method, result), "list of statuses"
        )
        if len(values) != 1:
            raise shapes.malformed(method, "list of statuses")
        found = None if values[0] is None else _status(method, values[0])
        context = shapes.mapping(method, result["context"], "context")
        return found, shapes.whole(method, context.get("slot"), "slot")

    def get_slot(self) -> int:
        """Gives the newest slot of the commitment level."""
        method = "getSlot"
        return shapes.whole(method, self.ask(method, [self._fresh()]), "slot")

    def get_minimum_balance_for_rent_exemption(self, size: int) -> int:
        """Gives the lamports that an account of `size` bytes must hold."""
        method = "getMinimumBalanceForRentExemption"
        return shapes.whole(method, self.ask(method, [size, self._level()]), "balance")

    def get_recent_fees(self, writable: Sequence[Address]) -> list[int]:
        """Gives what was paid lately to write these accounts, a number for each slot.

        In millionths of a lamport a compute unit: the least that a transaction of that
        slot paid. Of all commitment levels: the RPC names none.
        """
        method = "getRecentPrioritizationFees"
        asked = [str(one) for one in writable[:_FEE_ACCOUNTS_LIMIT]]
        found = []
        for item in shapes.sequence(method, self.ask(method, [asked]), "list of fees"):
            entry = shapes.mapping(method, item, "fee")
            found.append(shapes.whole(method, entry.get("prioritizationFee"), "fee"))
        return found

    def get_latest_blockhash(self) -> LatestBlockhash:
        """Gives a blockhash to build a transaction with."""
        method = "getLatestBlockhash"
        value = shapes.context_value(method, self.ask(method, [self._fresh()]))
        value = shapes.mapping(method, value, "blockhash")
        return LatestBlockhash(
            str(shapes.address(method, value.get("blockhash"), "blockhash")),
            shapes.whole(method, value.get("lastValidBlockHeight"), "height"),
        )

    def send_transaction(self, wire: bytes, *, preflight: bool = True) -> str:
        """Hands a signed transaction to the node; gives its signature.

        The same bytes may be sent again: they can take effect only once.

        Raises:
            RpcRefused: also when the node's trial run fails; `data` says why.
        """
        method = "sendTransaction"
        options = {
            "encoding": "base64",
            "skipPreflight": not preflight,
            "preflightCommitment": self.commitment_level,
        }
        params = [base64.b64encode(wire).decode(), options]
        return shapes.text(method, self.ask(method, params), "signature", 90)

    def simulate_transaction(
        self, wire: bytes, *, check_signatures: bool = True
    ) -> Simulation:
        """Tells what a transaction would do.

        Args:
            wire: its bytes.
            check_signatures: whether all of them must be there.
        """
        method = "simulateTransaction"
        options = self._fresh(encoding="base64", sigVerify=check_signatures)
        params = [base64.b64encode(wire).decode(), options]
        value = shapes.context_value(method, self.ask(method, params))
        value = shapes.mapping(method, value, "simulation")
        logs = shapes.sequence(method, value.get("logs") or [], "logs")
        return Simulation(
            err=value.get("err"),
            logs=tuple(str(line) for line in logs),
            compute_units=shapes.whole(
                method, value.get("unitsConsumed") or 0, "compute units"
            ),
        )

    def get_signature_statuses(
        self, signatures: Sequence[str], *, search_history: bool = False
    ) -> list[SignatureStatus | None]:
        """Gives statuses in the order asked for, None where nothing is known."""
        method = "getSignatureStatuses"
        found: list[SignatureStatus | None] = []
        for start in range(0, len(signatures), _STATUSES_LIMIT):
            part = list(signatures[start : start + _STATUSES_LIMIT])
            params = [part, {"searchTransactionHistory": search_history}]
            value = shapes.context_value(method, self.ask(method, params))
            values = shapes.sequence(method, value, "list of statuses")
            if len(values) != len(part):
                raise shapes.malformed(method, "list of statuses")
            found += [None if one is None else _status(method, one) for one in values]
        return found

    def get_transaction(self, signature: str) -> dict[str, Any] | None:
        """Gives a transaction in the JSON of RPC nodes, or None where unknown.

        Only that it is the one asked for is checked here.

        Raises:
            RpcUnavailable: the answer is another transaction.
        """
        method = "getTransaction"
        options = self._level(
            encoding="json", maxSupportedTransactionVersion=MAX_TRANSACTION_VERSION
        )
        result = self.ask(method, [signature, options])
        if result is None:
            return None
        found = shapes.mapping(method, result, "result")
        tx_json = shapes.mapping(method, found.get("transaction"), "transaction")
        signatures = shapes.sequence(method, tx_json.get("signatures"), "signatures")
        if signatures[:1] != [signature]:
            raise RpcUnavailable(f"{method}: the answer is another transaction")
        return found

    def get_signatures_for_address(
        self,
        address: Address,
        *,
        until: str | None = None,
        before: str | None = None,
        limit: int = _SIGNATURES_LIMIT,
    ) -> list[SignatureEntry]:
        """Gives an address's transactions, newest first, at most `limit`."""
        method = "getSignaturesForAddress"
        options = self._fresh(limit=limit)
        if until is not None:
            options["until"] = until
        if before is not None:
            options["before"] = before
        found = []
        result = self.ask(method, [str(address), options])
        for item in shapes.sequence(method, result, "list"):
            entry = shapes.mapping(method, item, "entry")
            signature = shapes.text(method, entry.get("signature"), "signature", 90)
            slot = shapes.whole(method, entry.get("slot"), "slot")
            found.append(SignatureEntry(signature, slot, entry.get("err")))
        if len(found) > limit:
            raise shapes.malformed(method, "list")
        return found

    def request_airdrop(self, address: Address, lamports: int) -> str:
        """Asks a test network's faucet for money; gives the signature."""
        method = "requestAirdrop"
        params = [str(address), lamports, self._level()]
        return shapes.text(method, self.ask(method, params, once=True), "signature", 90)


def _status(method: str, value: Any) -> SignatureStatus:
    value = shapes.mapping(method, value, "status")
    level = value.get("confirmationStatus")
    if level not in COMMITMENT_LEVELS:
        raise shapes.malformed(method, "confirmation status")
    slot = shapes.whole(method, value.get("slot"), "slot")
    return SignatureStatus(slot, value.get("err"), level)


def _check_filters(
    raw: RawAccount,
    program_id: Address,
    size: int | None,
    filters: Sequence[AccountFilter],
) -> None:
    if raw.owner != program_id:
        raise AccountInvalid(raw.address, f"owned by {raw.owner}, not by the program")
    if size is not None and len(raw.data) != size:
        raise AccountInvalid(raw.address, f"{len(raw.data)} bytes instead of {size}")
    for one in filters:
        if raw.data[one.offset : one.offset + len(one.content)] != one.content:
            raise AccountInvalid(raw.address, "not one of the accounts asked for")
