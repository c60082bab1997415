"""A local RPC that replays recorded transactions: what `indexer.py` measures against.

    replay_rpc.py FOLDER [--live EVENTS_PER_S]

FOLDER holds `transactions.jsonl`, an answer to `getTransaction` a line in the order of
the chain, and `accounts.json`. With `--live` the last transactions come one after the
other at this rate; each moment is written to `live.jsonl`. Answers are made from bytes
that lie ready, so that little of the time is the server's.
"""

import argparse
import asyncio
import json
import mmap
import time
from array import array
from pathlib import Path
from typing import Any

import base58

from flair_client.chain.accounts import RepoAccount, encode_account
from flair_client.chain.pdas import PROGRAM_ID, find_config_pda
from flair_client.ids import ZERO_ADDRESS, Address, Digest

GENESIS_HASH = str(Address(b"\x07" * 32))
LIVE_TRANSACTIONS = 1500


class Recording:
    """Recorded transactions, found by signature or by place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with (folder / "transactions.jsonl").open("rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        index = json.loads((folder / "index.json").read_text())
        self.ends = array("Q", (folder / "ends.bin").read_bytes())
        self.slots = array("Q", (folder / "slots.bin").read_bytes())
        # Of each transaction the repository and the root after it.
        self.repos = array("H", (folder / "repos.bin").read_bytes())
        self.roots = (folder / "roots.bin").read_bytes()
        self.names: list[tuple[str, str, str]] = index["repos"]
        self.config = base58.b58decode(index["config"])
        self.signatures = (folder / "signatures.txt").read_text().split()
        self.places = {one: place for place, one in enumerate(self.signatures)}
        self.n_shown = len(self.signatures)

    def transaction(self, place: int) -> bytes:
        """The answer's bytes."""
        begin = self.ends[place - 1] if place else 0
        return self.bytes[begin : self.ends[place] - 1]

    def listed(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """A page, newest first."""
        before = self.places.get(options.get("before", ""), self.n_shown)
        until = self.places.get(options.get("until", ""), -1)
        first = max(until, before - 1 - options.get("limit", 1000))
        return [
            {
                "signature": self.signatures[place],
                "slot": self.slots[place],
                "err": None,
                "confirmationStatus": "finalized",
            }
            for place in range(before - 1, first, -1)
        ]

    def accounts(self) -> list[dict[str, Any]]:
        """Every repository as it is after what was shown."""
        counts = [0] * len(self.names)
        last = [b""] * len(self.names)
        for place in range(self.n_shown):
            repo = self.repos[place]
            counts[repo] += 1
            last[repo] = self.roots[32 * place : 32 * place + 32]
        found = []
        for number, (name, creator, address) in enumerate(self.names):
            if counts[number]:
                data = _repo_account(name, creator, counts[number], last[number])
                found.append({"pubkey": address, "account": _account(data)})
        return found


def _repo_account(name: str, creator: str, seq: int, root: bytes) -> bytes:
    owner = Address.parse(creator)
    return encode_account(
        RepoAccount(
            bump=255,
            listed=0,
            name=name,
            creator=owner,
            authority=owner,
            pending_authority=ZERO_ADDRESS,
            authority_epoch=0,
            policy_count=1,
            mint=ZERO_ADDRESS,
            event_seq=seq,
            history_root=Digest(root),
            points_total=0,
            points_per_merge=10,
            keyring_digest=Digest(bytes(32)),
            created_at=1,
        )
    )


def _account(data: bytes) -> dict[str, Any]:
    import base64

    return {
        "data": [base64.b64encode(data).decode(), "base64"],
        "owner": str(PROGRAM_ID),
        "lamports": 1,
        "executable": False,
    }


class Replay:
    """Answers questions from a recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def answer(self, body: bytes) -> bytes:
        """The answer to a request or a batch."""
        asked = json.loads(body)
        if isinstance(asked, list):
            return b"[" + b",".join(map(self.one, asked)) + b"]"
        return self.one(asked)

    def one(self, asked: dict[str, Any]) -> bytes:
        """The answer to one question."""
        result = self.result(asked["method"], asked["params"])
        return b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (asked["id"], result)

    def result(self, method: str, params: list[Any]) -> bytes:
        """The result's bytes."""
        recording = self.recording
        if method == "getTransaction":
            place = recording.places.get(params[0], recording.n_shown)
            shown = place < recording.n_shown
            return recording.transaction(place) if shown else b"null"
        slot = recording.slots[recording.n_shown - 1] + 1
        found: Any
        match method:
            case "getSlot":
                found = slot
            case "getGenesisHash":
                found = GENESIS_HASH
            case "getSignaturesForAddress":
                found = recording.listed(params[1])
            case "getAccountInfo":
                is_config = params[0] == str(find_config_pda()[0])
                value = _account(recording.config) if is_config else None
                found = {"context": {"slot": slot}, "value": value}
            case "getProgramAccounts":
                found = recording.accounts()
            case _:
                raise ValueError(method)
        return json.dumps(found).encode()


async def serve(replay: Replay, folder: Path, live: float | None) -> None:
    """Answers until it is ended; writes its port to `port`."""

    async def connection(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"POST "):
                    # No WebSocket: an indexer that asks for one looks at every tick.
                    writer.write(b"HTTP/1.1 404 None\r\ncontent-length: 0\r\n\r\n")
                    continue
                length = 0
                for line in head.split(b"\r\n"):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = replay.answer(await reader.readexactly(length))
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n" % len(body)
                )
                writer.write(body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, limit=1 << 20)
    port = server.sockets[0].getsockname()[1]
    (folder / "port.part").write_text(str(port))
    (folder / "port.part").replace(folder / "port")
    async with server:
        if live is not None:
            await show_live(replay.recording, folder, live)
        await server.serve_forever()


async def show_live(recording: Recording, folder: Path, rate: float) -> None:
    """Shows the hidden transactions one by one once a file `go` is there."""
    while not (folder / "go").exists():  # noqa: ASYNC110 (another process makes it)
        await asyncio.sleep(0.02)
    begun = time.time()
    hidden = len(recording.signatures) - recording.n_shown
    with (folder / "live.jsonl").open("w") as log:
        for number in range(hidden):
            await asyncio.sleep(max(0.0, begun + number / rate - time.time()))
            recording.n_shown += 1
            log.write(json.dumps([recording.n_shown, time.time()]) + "\n")


def main() -> None:
    """Reads arguments and serves."""
    parser = argparse.ArgumentParser(description="Replays recorded transactions.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--live", type=float)
    given = parser.parse_args()
    recording = Recording(given.folder)
    if given.live is not None:
        recording.n_shown = max(len(recording.signatures) - LIVE_TRANSACTIONS, 1)
    asyncio.run(serve(Replay(recording), given.folder, given.live))


if __name__ == "__main__":
    main()
