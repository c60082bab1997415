"""Fetches and reads transactions in a process of its own, while this one writes.

Reading what a node sends takes about as long as writing what it says; where much is
waiting both are done at once, on two cores. The other process has no database. It ends
when this one does, however that ends: then its standard input does.
"""

import json
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

import libipld

from flair_client.chain.events import decode_event
from flair_client.errors import ClusterMismatch, FlairError, RpcUnavailable
from flair_client.ids import Address
from flair_indexer.decode import Decoded, IndexedEvent, Letter
from flair_indexer.fetching import Fetched, Waiting
from flair_indexer.own_child import read_frame, stop_child, write_frame


@dataclass(frozen=True, slots=True)
class AsidePlan:
    """What the other process is told: how to ask the node, and whose events count.

    Names are those of `Rpc` and `Door`.

    Attributes:
        batch_size: transactions in one request.
    """

    url: str
    genesis_hash: str | None
    timeout_s: float
    batch_size: int
    program_id: str
    more_urls: Sequence[str] = ()
    proxy: str | None = None
    ca_file: str | None = None


@dataclass(slots=True)
class Aside:
    """The other process; begun when it is first needed."""

    plan: AsidePlan
    _child: "subprocess.Popen[bytes] | None" = field(default=None)
    _is_ready: bool = field(default=False)

    def begin(self) -> None:
        """Starts the process where it does not run; it needs a moment to be ready."""
        if self._child is not None and self._child.poll() is None:
            return
        self.close()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "flair_indexer.aside_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        # Not on the command line, which others may read: URLs may have keys in them.
        first = json.dumps(asdict(self.plan)).encode()
        _write(self._child, first)

    def is_ready(self) -> bool:
        """Tells whether the process has begun to answer, without waiting for it."""
        self.begin()
        child = self._child
        if not self._is_ready and child is not None and child.stdout is not None:
            said, _, _ = select.select([child.stdout], [], [], 0)
            self._is_ready = bool(said) and read_frame(child.stdout) is not None
        return self._is_ready

    def fetch(self, waiting: Sequence[Waiting]) -> Fetched:
        """Fetches and reads listed transactions.

        Raises:
            ClusterMismatch: another cluster answers.
            RpcUnavailable: the node gives no usable answers, or the process ended; the
                next call begins another one.
        """
        self.begin()
        child = self._child
        if child is None or child.stdout is None:
            raise RuntimeError("begin() starts it")
        if not self._is_ready:
            self._is_ready = read_frame(child.stdout) is not None
        wanted = [[one.signature, one.slot, one.is_final] for one in waiting]
        _write(child, libipld.encode_dag_cbor(wanted))
        answer = read_frame(child.stdout)
        if answer is None:
            # Its pipe is closed; that it is gone may be known a moment later.
            self.close()
            raise RpcUnavailable("the process that fetches ended")
        found = libipld.decode_dag_cbor(answer)
        if "error" in found:
            raise _error(*found["error"])
        pairs = zip(waiting, found["found"], strict=True)
        return Fetched(tuple(waiting), tuple(_decoded(*pair) for pair in pairs))

    def close(self) -> None:
        """Ends the process."""
        child, self._child, self._is_ready = self._child, None, False
        if child is not None:
            stop_child(child)


def _write(child: "subprocess.Popen[bytes]", content: bytes) -> None:
    stream: IO[bytes] | None = child.stdin
    if stream is None:
        raise RuntimeError("the process has a pipe")
    try:
        write_frame(stream, content)
    except BrokenPipeError as exc:
        raise RpcUnavailable("the process that fetches ended") from exc


def _error(name: str, message: str) -> FlairError:
    if name == ClusterMismatch.__name__:
        return ClusterMismatch(message)
    return RpcUnavailable(message)


def as_values(found: Decoded | None) -> list[Any] | None:
    """Gives what one transaction says in values that CBOR has."""
    if found is None:
        return None
    events = [
        [
            one.signature,
            one.outer,
            one.inner,
            one.tx_index,
            one.block_time,
            one.payload,
            one.root,
        ]
        for one in found.events
    ]
    letters = [
        [one.outer, one.inner, one.reason, one.detail.encode(errors="replace")]
        for one in found.letters
    ]
    return [events, letters]


def _decoded(one: Waiting, values: list[Any] | None) -> Decoded | None:
    if values is None:
        return None
    events, letters = values
    return Decoded(
        tuple(
            IndexedEvent(
                signature,
                outer,
                inner,
                one.slot,
                tx_index,
                block_time,
                payload,
                decode_event(payload),
                root,
                one.is_final,
            )
            for signature, outer, inner, tx_index, block_time, payload, root in events
        ),
        tuple(
            Letter(one.signature, outer, inner, one.slot, reason, detail.decode())
            for outer, inner, reason, detail in letters
        ),
    )


def program_of(plan: AsidePlan) -> Address:
    """Gives the program whose events count."""
    return Address.parse(plan.program_id)
