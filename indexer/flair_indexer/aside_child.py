"""The process beside an indexer: asks a node, reads, hands over. See `aside`."""

import json
import os
import signal
import sys
from contextlib import closing
from typing import Any

import libipld

from flair_client.chain.rpc import Rpc
from flair_client.chain.transport import Door
from flair_client.errors import FlairError
from flair_indexer.aside import AsidePlan, as_values, program_of
from flair_indexer.fetching import Waiting, fetch
from flair_indexer.memory import collected_seldom
from flair_indexer.own_child import read_frame, write_frame
from flair_indexer.source import RpcSource


def main() -> None:
    """Answers until standard input ends."""
    # Ctrl-C is for the process that started this one, whose end ends this one too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    incoming = sys.stdin.buffer
    # Nothing that anybody prints may come between the frames.
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    first = read_frame(incoming)
    if first is None:
        return
    plan = AsidePlan(**json.loads(first))
    program_id = program_of(plan)
    rpc = Rpc(
        plan.url,
        genesis_hash=plan.genesis_hash,
        more_urls=plan.more_urls,
        door=Door(plan.proxy, plan.ca_file),
        timeout_s=plan.timeout_s,
    )
    with (
        collected_seldom(),
        closing(RpcSource(rpc, program_id, batch_size=plan.batch_size)) as source,
    ):
        # That it is ready.
        write_frame(outgoing, b"")
        while (asked := read_frame(incoming)) is not None:
            waiting = [
                Waiting(signature, slot, is_final, 0)
                for signature, slot, is_final in libipld.decode_dag_cbor(asked)
            ]
            answer: dict[str, Any]
            try:
                found = fetch(source, waiting, program_id).decoded
                answer = {"found": [as_values(one) for one in found]}
            except FlairError as exc:
                answer = {"error": [type(exc).__name__, str(exc)]}
            try:
                write_frame(outgoing, libipld.encode_dag_cbor(answer))
            except BrokenPipeError:
                return


if __name__ == "__main__":
    main()
