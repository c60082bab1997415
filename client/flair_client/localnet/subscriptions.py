"""Subscriptions over a WebSocket: transactions by signature, logs by who is mentioned.

Notifications are those of a real node. What is confirmed here is on disk, so that each
is sent at once. A connection that does not read is ended, not waited for.
"""

import asyncio
import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, TypeAlias

import base58

from flair_client.ids import Address
from flair_client.localnet.faults import METHOD_NOT_FOUND, RpcFault, invalid_params
from flair_client.localnet.ledger import Entry
from flair_client.localnet.methods import Node
from flair_client.localnet.params import Params, parse_address, parse_signature

_SUBSCRIPTIONS_LIMIT: Final = 1000
_WAITING_LIMIT: Final = 10_000
_ALL: Final = ("all", "allWithVotes")


@dataclass(frozen=True, slots=True)
class _BySignature:
    signature: bytes


@dataclass(frozen=True, slots=True)
class _ByMention:
    """Of everybody, where no address is given."""

    address: Address | None


_Wanted: TypeAlias = _BySignature | _ByMention


@dataclass(slots=True)
class Subscriber:
    """A connection: what it subscribed to, and what it was not sent yet.

    Attributes:
        outgoing: texts; None ends the connection.
    """

    wanted: dict[int, _Wanted] = field(default_factory=dict)
    outgoing: "asyncio.Queue[str | None]" = field(
        default_factory=lambda: asyncio.Queue(_WAITING_LIMIT)
    )

    def push(self, message: Any) -> None:
        """Sends a message as soon as the connection takes it."""
        try:
            self.outgoing.put_nowait(json.dumps(message))
        except asyncio.QueueFull:
            self.wanted.clear()
            while not self.outgoing.empty():
                self.outgoing.get_nowait()
            self.outgoing.put_nowait(None)


class Subscriptions:
    """Of all connections to one chain."""

    def __init__(self, node: Node) -> None:
        """Hears of every transaction from now on."""
        self._node = node
        self._subscribers: list[Subscriber] = []
        self._ids = count()
        node.bank.listeners.append(self._tell)

    def join(self) -> Subscriber:
        """Gives a new connection's place."""
        made = Subscriber()
        self._subscribers.append(made)
        return made

    def leave(self, subscriber: Subscriber) -> None:
        """Forgets a connection."""
        self._subscribers.remove(subscriber)

    def call(self, subscriber: Subscriber, name: str, params: Params) -> Any:
        """Answers a request of a connection.

        Raises:
            RpcFault: it cannot be answered.
        """
        match name:
            case "signatureSubscribe":
                return self._by_signature(subscriber, params)
            case "logsSubscribe":
                return self._by_logs(subscriber, params)
            case "signatureUnsubscribe" | "logsUnsubscribe":
                return _unsubscribe(subscriber, params)
        raise RpcFault(METHOD_NOT_FOUND, "Method not found")

    def catch_up(self, subscriber: Subscriber, number: int) -> None:
        """Notifies of what a new subscription waits for and is there already."""
        wanted = subscriber.wanted.get(number)
        if isinstance(wanted, _BySignature):
            entry = self._node.bank.ledger.entry(wanted.signature)
            if entry is not None:
                _notify_signature(subscriber, number, entry)

    def _subscribe(self, subscriber: Subscriber, wanted: _Wanted) -> int:
        if len(subscriber.wanted) >= _SUBSCRIPTIONS_LIMIT:
            raise invalid_params("too many subscriptions")
        number = next(self._ids)
        subscriber.wanted[number] = wanted
        return number

    def _by_signature(self, subscriber: Subscriber, params: Params) -> int:
        params.options(1)
        return self._subscribe(
            subscriber, _BySignature(parse_signature(params.must(0)))
        )

    def _by_logs(self, subscriber: Subscriber, params: Params) -> int:
        params.options(1)
        given = params.must(0)
        if given in _ALL:
            return self._subscribe(subscriber, _ByMention(None))
        mentions = given.get("mentions") if isinstance(given, dict) else None
        if not isinstance(mentions, list) or len(mentions) != 1:
            raise invalid_params("Invalid Request: Only 1 address supported")
        return self._subscribe(subscriber, _ByMention(parse_address(mentions[0])))

    def _tell(self, entry: Entry) -> None:
        for subscriber in self._subscribers:
            for number, wanted in list(subscriber.wanted.items()):
                match wanted:
                    case _BySignature(signature=signature):
                        if signature == entry.signature:
                            _notify_signature(subscriber, number, entry)
                    case _ByMention(address=address):
                        if address is None or address in entry.addresses:
                            _notify_logs(subscriber, number, entry)


def _unsubscribe(subscriber: Subscriber, params: Params) -> bool:
    if subscriber.wanted.pop(params.whole(0), None) is None:
        raise invalid_params("Invalid subscription id.")
    return True


def _notify_signature(subscriber: Subscriber, number: int, entry: Entry) -> None:
    # Once: the subscription ends with it.
    subscriber.wanted.pop(number, None)
    value = {"err": entry.meta["err"]}
    subscriber.push(_notification("signatureNotification", number, entry, value))


def _notify_logs(subscriber: Subscriber, number: int, entry: Entry) -> None:
    value = {
        "signature": base58.b58encode(entry.signature).decode(),
        "err": entry.meta["err"],
        "logs": entry.meta["logMessages"] or [],
    }
    subscriber.push(_notification("logsNotification", number, entry, value))


def _notification(method: str, number: int, entry: Entry, value: Any) -> dict[str, Any]:
    result = {"context": {"slot": entry.moment.slot}, "value": value}
    return {
        "jsonrpc": "2.0",
        "method": method,
        "params": {"result": result, "subscription": number},
    }
