"""Several RPCs of one cluster: where one gives no usable answer the next is asked.

The one that answered last is asked first. Each is asked for its genesis hash before
anything else: an answer from another cluster is never taken. An error that an RPC
answers with is an answer, but for those that say that this node is behind or unwell.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from flair_client.chain import shapes
from flair_client.chain.transport import Retry, Transport
from flair_client.errors import ClusterMismatch, RpcRefused, RpcUnavailable

_UNHEALTHY: Final = -32005
_GENESIS: Final = "getGenesisHash"


class Endpoints:
    """Asks whichever RPC answers; safe to use from one thread at a time."""

    def __init__(
        self, transports: Sequence[Transport], genesis_hash: str | None
    ) -> None:
        """Opens nothing yet.

        Args:
            transports: one each, the first choice first; with the same patience.
            genesis_hash: of the cluster; where None is given, the first that answers
                says which cluster it is, and none of the others may be of another one.
        """
        self._transports = tuple(transports)
        self._genesis_hash = genesis_hash
        self._checked: set[int] = set()
        self._first = 0

    @property
    def url(self) -> str:
        """Of the RPC that is asked first now."""
        return self._transports[self._first].url

    def close(self) -> None:
        """Closes the connections."""
        for one in self._transports:
            one.close()

    def ask(self, method: str, params: list[Any], *, once: bool = False) -> Any:
        """Gives the `result` of a request.

        Args:
            method: of Solana's JSON-RPC.
            params: positional.
            once: never ask again after an attempt that may have had an effect.

        Raises:
            ClusterMismatch: an RPC is of another cluster.
            RpcRefused: an RPC answered with an error.
            RpcUnavailable: no usable answer from any of them after all attempts.
        """
        if len(self._transports) == 1 or once:
            self._check(self._first)
            return self._transports[self._first].ask(method, params, once=once)
        return self._any(method, lambda one: one.attempt(method, params))

    def ask_many(self, method: str, questions: list[list[Any]]) -> list[Any]:
        """Gives the results of several requests of one method; otherwise as `ask`."""
        found: list[Any]
        if len(self._transports) == 1:
            self._check(self._first)
            found = self._transports[self._first].ask_many(method, questions)
        else:
            found = self._any(method, lambda one: one.attempt_many(method, questions))
        return found

    def genesis_hash(self) -> str:
        """Gives the hash that the RPC which is asked first says."""
        if len(self._transports) == 1:
            return _read_hash(self._transports[0].ask(_GENESIS, []))
        # Checked or not: what it says is compared by whoever asks.
        return str(
            self._any(_GENESIS, lambda one: _read_hash(one.attempt(_GENESIS, [])))
        )

    def _check(self, number: int) -> None:
        """Asks an RPC for its cluster where one is pinned; with patience."""
        if number in self._checked or self._genesis_hash is None:
            return
        self._compare(number, _read_hash(self._transports[number].ask(_GENESIS, [])))

    def _compare(self, number: int, actual: str) -> None:
        if self._genesis_hash is None:
            self._genesis_hash = actual
        if actual != self._genesis_hash:
            raise ClusterMismatch(
                f"{self._transports[number].url} belongs to the cluster {actual}, "
                f"not to {self._genesis_hash}"
            )
        self._checked.add(number)

    def _any(self, method: str, ask: Callable[[Transport], Any]) -> Any:
        patience = self._transports[0].patience
        for attempt in range(1, patience.attempts + 1):
            failed: list[Exception] = []
            for number in self._in_order():
                try:
                    found = self._try(number, ask)
                except (Retry, RpcUnavailable) as exc:
                    failed.append(exc)
                    continue
                self._first = number
                return found
            if attempt == patience.attempts:
                raise _given_up(method, failed)
            self._wait(method, attempt, failed)
        raise RpcUnavailable(f"{method}: not asked")

    def _in_order(self) -> list[int]:
        n = len(self._transports)
        return [(self._first + step) % n for step in range(n)]

    def _try(self, number: int, ask: Callable[[Transport], Any]) -> Any:
        transport = self._transports[number]
        if number not in self._checked:
            self._compare(number, _read_hash(transport.attempt(_GENESIS, [])))
        try:
            return ask(transport)
        except RpcRefused as exc:
            if exc.code == _UNHEALTHY:
                raise Retry(f"{transport.url}: {exc}") from exc
            raise

    def _wait(self, method: str, attempt: int, failed: list[Exception]) -> None:
        """Waits as long as the most impatient of them wants to be left alone."""
        pauses = []
        refused: RpcUnavailable | None = None
        for exc in failed:
            if isinstance(exc, Retry):
                try:
                    pauses.append(
                        self._transports[0].pause(method, attempt, exc.after_s)
                    )
                except RpcUnavailable as too_long:
                    refused = too_long
        if not pauses:
            raise refused or _given_up(method, failed)
        self._transports[0].sleep(min(pauses))


def _read_hash(result: Any) -> str:
    return str(shapes.address(_GENESIS, result, "genesis hash"))


def _given_up(method: str, failed: Sequence[Exception]) -> RpcUnavailable:
    said = "; ".join(str(one).removeprefix(f"{method}: ") for one in failed)
    return RpcUnavailable(f"{method}: {said}")
