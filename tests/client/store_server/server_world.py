"""What store servers are tried with: a chain in memory, a server, its clients."""

import contextlib
import threading
from dataclasses import dataclass, field

import httpx
import uvicorn

from flair_client.chain.accounts import Scope
from flair_client.chain.signer import KeypairSigner
from flair_client.ids import CODEC_RAW
from flair_client.serving import listen, url_of
from flair_client.store import DiskStore
from flair_client.store.served import Sender, ServedStore
from flair_client.store.served_rpc import ServedPatience
from flair_client.store_server.app import Service, create_app
from flair_client.store_server.rights import Standing
from flair_client.store_server.uploads import UploadDesk
from flair_client.testing import ALICE, REPO, MemoryChain, make_role

NOW = 1_700_000_000
MIB = 1 << 20
STRANGER = KeypairSigner(bytes([99]) * 32)
MACHINE = KeypairSigner(bytes([98]) * 32)
QUOTAS = {
    Standing.AUTHORITY: 64 * MIB,
    Standing.ADMINISTER: 32 * MIB,
    Standing.MERGE: 16 * MIB,
    Standing.CONTRIBUTE: 8 * MIB,
    Standing.OPEN: 0,
}
PATIENCE = ServedPatience(timeout_s=20, attempts=3, backoff_s=0)


@dataclass
class Chain(MemoryChain):
    """Also knows delegations."""

    lent: list = field(default_factory=list)

    def delegation(self, repo, wallet, machine_key):
        for one in self.lent:
            if (one.repo, one.wallet, one.key) == (repo, wallet, machine_key):
                return one
        return None


class World:
    """A server's parts, and clients of it."""

    def __init__(self, folder, *, now=lambda: NOW):
        self.chain = Chain(role_accounts=[make_role(ALICE, Scope.CONTRIBUTE)])
        self.folder = folder
        self.blocks = DiskStore(folder / "blocks")
        self.quotas = dict(QUOTAS)
        self.url = None
        self.now = now
        self.desk = None
        self._opened = []

    def time(self):
        return self.now()

    def make_desk(self, host):
        return UploadDesk(
            chain=self.chain,
            open_store=lambda: DiskStore(self.folder / "blocks"),
            folder=self.folder / "desk",
            hosts=frozenset({host}),
            repos=frozenset({REPO}),
            quotas=self.quotas,
            now=self.time,
        )

    def client(self, signer, *, wallet=None, now=None, http=None, repo=REPO):
        """The store as somebody's client sees it."""
        store = ServedStore(
            self.url,
            Sender(signer, wallet, () if repo is None else (repo,)),
            patience=PATIENCE,
            http=http,
            now=now or self.time,
            sleep=lambda _: None,
        )
        self._opened.append(store)
        return store

    def close(self):
        for store in self._opened:
            store.close()

    def ask(self, method, path, **how):
        with httpx.Client(trust_env=False) as http:
            return http.request(method, f"{self.url}{path}", **how)


@contextlib.contextmanager
def serving(world):
    """Runs the server; its URL is the world's within."""
    ready = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        world.url = url_of("127.0.0.1", listener)
        world.desk = world.make_desk(world.url.removeprefix("http://"))
        service = Service(world.desk, world.blocks, {"store": "flair"})
        app = create_app(service, on_ready=ready.set)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        assert ready.wait(30)
        try:
            yield world
        finally:
            server.should_exit = True
            thread.join(30)


def raw_block(n, size=1000):
    """A block of its own for each number."""
    return (b"%d " % n * size)[:size]


def put_raw(store, n, size=1000):
    return store.put(CODEC_RAW, raw_block(n, size))
