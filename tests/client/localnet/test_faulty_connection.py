"""A real localnet behind a connection that loses, delays and spoils answers."""

import contextlib
import itertools

import httpx
import pytest

from flair_client.chain.client import ChainClient
from flair_client.chain.instructions import repo_create, role_grant
from flair_client.chain.pdas import find_repo_pda
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.transport import Patience
from flair_client.errors import ProgramRefused
from flair_client.localnet import start_localnet

SIGNER = KeypairSigner(b"\5" * 32)
N_ROLES = 25


def refuse_before(_send):
    raise httpx.ConnectError("refused")


def lose_after(send):
    send().read()
    raise httpx.ReadTimeout("slow")


def cut_after(send):
    body = send().read()
    return httpx.Response(200, content=iter([body[: len(body) // 2]]))


def spoil_after(send):
    body = send().read()
    return httpx.Response(200, content=iter([body.replace(b'"id": ', b'"id": 9')]))


def busy(_send):
    return httpx.Response(429, headers={"retry-after": "0"})


def broken(_send):
    return httpx.Response(502)


def work(send):
    return send()


# At most two faults follow each other, so that no request meets five.
TURNS = (
    *(work, lose_after, work, busy, broken, work, cut_after, work),
    *(refuse_before, spoil_after, work, work, lose_after, lose_after),
)


class FaultyTransport(httpx.BaseTransport):
    def __init__(self):
        self.inner = httpx.HTTPTransport()
        self.turns = itertools.cycle(TURNS)
        self.met = set()

    def handle_request(self, request):
        fault = next(self.turns)
        self.met.add(fault)
        return fault(lambda: self.inner.handle_request(request))

    def close(self):
        self.inner.close()


@pytest.fixture
def faulty(tmp_path):
    transport = FaultyTransport()
    with start_localnet(tmp_path / "net") as net:
        sound = Rpc(net.url)
        with contextlib.closing(ChainClient(sound)) as chain:
            chain.wait_for(sound.request_airdrop(SIGNER.address, 10**11))
        rpc = Rpc(
            net.url,
            genesis_hash=net.genesis_hash,
            http=transport,
            patience=Patience(backoff_s=0.001),
        )
        with contextlib.closing(ChainClient(rpc)) as chain:
            yield chain
    assert transport.met == set(TURNS)


def test_everything_sent_takes_effect_exactly_once(faulty):
    repo = find_repo_pda(SIGNER.address, "heart")[0]
    faulty.send(
        [
            repo_create(
                payer=SIGNER.address,
                creator=SIGNER.address,
                name="heart",
                points_per_merge=1,
            )
        ],
        [SIGNER],
    )
    published = []
    for n in range(N_ROLES):
        grant = role_grant(
            payer=SIGNER.address,
            actor=SIGNER.address,
            repo=repo,
            grantee=KeypairSigner(bytes([n + 1]) * 32).address,
            scope=1,
            expires_at=0,
        )
        result = faulty.send([grant], [SIGNER], publish=published.append)
        assert len(result.events) == 1
        with pytest.raises(ProgramRefused):
            faulty.send([grant], [SIGNER])

    assert faulty.repo(repo).event_seq == 1 + N_ROLES
    assert len(faulty.roles(repo)) == N_ROLES
    events = faulty.events_since(repo, 0)
    assert len(events) == 1 + N_ROLES
    assert [block[-len(events[1]) :] for block in published] == events[1:]
