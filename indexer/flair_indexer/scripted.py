"""A chain in memory for tests: slots, forks, repositories that send events, and faults.

`ScriptedChain` is what happened; `ScriptedSource` is a node that tells of it, well or
badly. No cluster, no clock, no luck.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from flair_client.chain import events as ev
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_event_authority_pda,
    find_repo_pda,
)
from flair_client.ids import Address, Digest
from flair_indexer.decode import base58_bytes, signature_text
from flair_indexer.source import AccountHead, Listed, Status, UnknownBefore

GENESIS_HASH: Final = str(Address(b"\x07" * 32))
_WALLET: Final = str(Address(b"\x12" * 32))
_OTHER: Final = str(Address(b"\x11" * 32))
_AUTHORITY: Final = str(find_event_authority_pda()[0])
# Places among the accounts of every transaction here.
WALLET, OURS, AUTHORITY, OTHER = range(4)


def call(
    data: bytes,
    *,
    program: int = OURS,
    accounts: tuple[int, ...] = (AUTHORITY,),
    height: int | None = 2,
) -> dict[str, Any]:
    """Gives an inner instruction in the JSON of RPC nodes; an event's by default."""
    return {
        "programIdIndex": program,
        "accounts": list(accounts),
        "data": signature_text(data),
        "stackHeight": height,
    }


def event_call(event: ev.Event) -> dict[str, Any]:
    """Gives the call that sends an event."""
    return call(ev.EVENT_TAG + ev.encode_event(event))


@dataclass(frozen=True, slots=True)
class ScriptedTx:
    """A transaction that is in a block.

    Attributes:
        calls: below its one instruction, which calls `outer`.
        addresses: what it mentions besides our program.
    """

    signature: str
    slot: int
    calls: tuple[dict[str, Any], ...]
    addresses: tuple[bytes, ...] = ()
    outer: int = OURS
    err: Any = None
    version: str | int = "legacy"
    logs: tuple[str, ...] = ()

    def as_json(self, tx_index: int | None) -> dict[str, Any]:
        """Gives the answer to `getTransaction`."""
        index = {} if tx_index is None else {"transactionIndex": tx_index}
        message = {
            "accountKeys": [_WALLET, str(PROGRAM_ID), _AUTHORITY, _OTHER],
            "instructions": [
                {"programIdIndex": self.outer, "accounts": [], "data": "1"}
            ],
        }
        return {
            "slot": self.slot,
            "blockTime": 1_700_000_000 + self.slot,
            "version": self.version,
            "transaction": {"signatures": [self.signature], "message": message},
            "meta": {
                "err": self.err,
                "innerInstructions": [{"index": 0, "instructions": list(self.calls)}],
                "loadedAddresses": {"writable": [], "readonly": []},
                "logMessages": list(self.logs),
            },
            **index,
        }


@dataclass(slots=True)
class ScriptedRepo:
    """A repository, or the Config, as the chain counts it."""

    address: Address
    creator: Address
    seq: int = 0
    root: Digest = field(default_factory=lambda: Digest(bytes(32)))


@dataclass(slots=True)
class ScriptedChain:
    """Blocks, oldest first; which of them are confirmed and finalized is the node's."""

    blocks: dict[int, list[ScriptedTx]] = field(default_factory=dict)
    repos: dict[bytes, ScriptedRepo] = field(default_factory=dict)
    slot: int = 1
    _count: int = 0

    def next_slot(self) -> int:
        """Begins another block."""
        self.slot += 1
        return self.slot

    def repo(self, name: str) -> ScriptedRepo:
        """Makes a repository in the current slot."""
        creator = Address(hashlib.sha256(f"creator {name}".encode()).digest())
        address = find_repo_pda(creator, name)[0]
        made = ScriptedRepo(address, creator)
        self.repos[address.raw] = made
        self.send(made, ev.RepoCreated, creator=creator, name=name, points_per_merge=10)
        return made

    def event(
        self,
        repo: ScriptedRepo,
        kind: type[Any],
        /,
        *,
        actor: Address | None = None,
        **fields: Any,
    ) -> Any:
        """Makes a repository's next event and counts it; it is in no block yet."""
        made = kind(
            repo=repo.address,
            repo_seq=repo.seq + 1,
            prev_root=repo.root,
            unix_timestamp=1_700_000_000 + self.slot,
            actor=actor or repo.creator,
            **fields,
        )
        repo.seq += 1
        repo.root = ev.event_root(ev.encode_event(made))
        return made

    def send(self, repo: ScriptedRepo, kind: type[Any], /, **fields: Any) -> ScriptedTx:
        """Puts a repository's next event into the current slot."""
        made = self.event(repo, kind, **fields)
        return self.add([event_call(made)], repo.address.raw)

    def add(
        self, calls: Sequence[dict[str, Any]], *addresses: bytes, **more: Any
    ) -> ScriptedTx:
        """Puts a transaction into the current slot."""
        self._count += 1
        raw = hashlib.sha512(b"%d %d" % (self.slot, self._count)).digest()
        tx = ScriptedTx(signature_text(raw), self.slot, tuple(calls), addresses, **more)
        self.blocks.setdefault(self.slot, []).append(tx)
        return tx

    def drop(self, slot: int) -> None:
        """Takes a block out, and counts repositories as if it had never been."""
        self.blocks.pop(slot, None)
        self._count_anew()

    def move(self, tx: ScriptedTx, slot: int) -> None:
        """Puts a transaction of a dropped block into another one, as forks do."""
        self.blocks.setdefault(slot, []).append(replace(tx, slot=slot))

    def _count_anew(self) -> None:
        for repo in self.repos.values():
            repo.seq, repo.root = 0, Digest(bytes(32))
        for tx in self.transactions():
            for one in tx.calls:
                self._count_call(one)

    def _count_call(self, one: dict[str, Any]) -> None:
        event = ev.decode_event(base58_bytes(one["data"])[len(ev.EVENT_TAG) :])
        repo = self.repos[event.repo.raw]
        if event.repo_seq == repo.seq + 1 and event.prev_root == repo.root:
            repo.seq = event.repo_seq
            repo.root = ev.event_root(ev.encode_event(event))

    def transactions(self) -> list[ScriptedTx]:
        """Gives all transactions, oldest first."""
        return [tx for slot in sorted(self.blocks) for tx in self.blocks[slot]]


Fault = Callable[[str, Any], Any]


@dataclass(slots=True)
class ScriptedSource:
    """A node that tells of a scripted chain.

    Attributes:
        final_lag: slots between the newest and the finalized one.
        faults: each taken by the next question; called with the method's name and the
            good answer, gives the answer or raises.
        hidden: transactions that are listed and not given.
        knows_index: whether the node tells a transaction's place in its block.
        asked: names of the methods that were asked, in order.
    """

    chain: ScriptedChain
    final_lag: int = 2
    faults: deque[tuple[str, Fault]] = field(default_factory=deque)
    hidden: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    knows_index: bool = True
    asked: list[str] = field(default_factory=list)
    genesis: str = GENESIS_HASH

    def _answer(self, method: str, answer: Any) -> Any:
        self.asked.append(method)
        if self.faults and self.faults[0][0] == method:
            return self.faults.popleft()[1](method, answer)
        return answer

    @property
    def final_slot(self) -> int:
        """The newest finalized slot."""
        return max(self.chain.slot - self.final_lag, 0)

    def genesis_hash(self) -> str:
        """The hash that tells this cluster from all others."""
        return str(self._answer("genesis_hash", self.genesis))

    def slot(self, commitment_level: str) -> int:
        """The newest slot that has reached a commitment level."""
        is_final = commitment_level == "finalized"
        newest = self.final_slot if is_final else self.chain.slot
        return int(self._answer("slot", newest))

    def signatures(
        self, address: Address, *, before: str | None, until: str | None, limit: int
    ) -> list[Listed]:
        """An address's transactions, newest first."""
        found = [
            tx
            for tx in reversed(self.chain.transactions())
            if tx.signature not in self.unlisted
            and (address == PROGRAM_ID or address.raw in tx.addresses)
        ]
        names = [tx.signature for tx in found]
        start = 0
        if before is not None:
            if before not in names:
                raise UnknownBefore
            start = names.index(before) + 1
        end = names.index(until) if until in names else len(names)
        page = [
            Listed(tx.signature, tx.slot, tx.err is not None, self._is_final(tx))
            for tx in found[start:end][:limit]
        ]
        return list(self._answer("signatures", page))

    def _is_final(self, tx: ScriptedTx) -> bool:
        return tx.slot <= self.final_slot

    def _find(self, signature: str) -> tuple[ScriptedTx, int] | None:
        for block in self.chain.blocks.values():
            for place, tx in enumerate(block):
                if tx.signature == signature:
                    return tx, place
        return None

    def transactions(self, signatures: Sequence[str]) -> list[Any]:
        """Transactions in the order asked for."""
        answers: list[Any] = []
        for signature in signatures:
            found = None if signature in self.hidden else self._find(signature)
            answers.append(
                None
                if found is None
                else found[0].as_json(found[1] if self.knows_index else None)
            )
        return list(self._answer("transactions", answers))

    def statuses(self, signatures: Sequence[str]) -> list[Status | None]:
        """What is known of them."""
        found = [self._find(one) for one in signatures]
        statuses = [
            None
            if one is None
            else Status(one[0].slot, one[0].err is not None, self._is_final(one[0]))
            for one in found
        ]
        return list(self._answer("statuses", statuses))

    def block_order(self, slot: int) -> dict[str, int]:
        """The place of each transaction in a block."""
        block = self.chain.blocks.get(slot, [])
        order = {tx.signature: place for place, tx in enumerate(block)}
        return dict(self._answer("block_order", order))

    def account_heads(self) -> list[AccountHead]:
        """Every repository's account."""
        heads = [
            AccountHead(one.address.raw, one.seq, one.root.raw)
            for one in self.chain.repos.values()
            if one.seq
        ]
        return list(self._answer("account_heads", heads))

    def close(self) -> None:
        """There is nothing to close."""
