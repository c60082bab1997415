"""From a plan to the chain without a browser: what the server itself sees to."""

import base64
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [
    str(HERE),
    str(HERE.parent / "aggregator"),
    str(HERE.parent / "client" / "history"),
]

from aggregator_place import Place, clock_localnet  # noqa: E402
from wallet_site import Browser, Wallet, make_site  # noqa: E402

from flair_client.chain.instructions import role_grant  # noqa: E402
from flair_client.chain.signer import load_wallet  # noqa: E402
from flair_client.chain.transactions import sign_transaction  # noqa: E402
from flair_client.chain.unsigned import without_signatures  # noqa: E402
from flair_client.chain.wire import read_transaction  # noqa: E402
from flair_client.context import wall_clock  # noqa: E402
from flair_client.ids import CODEC_RAW, Cid  # noqa: E402
from flair_client.porcelain.join import join_request, join_request_close  # noqa: E402
from flair_client.porcelain.repo import repo_create  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sending")
    with clock_localnet(folder / "net") as net:
        place = Place(folder, net.url, net.genesis_hash, net.ahead_ms)
        place.owner = place.context("owner")
        place.repo = repo_create(place.owner, "heart", points_per_merge=1).repo
        yield place
        place.close()


@pytest.fixture
def app(place, tmp_path):
    made = make_site(
        tmp_path, wall_clock, rpc_url=place.url, genesis_hash=place.genesis_hash
    )
    yield made
    site = made.extensions["flair"]
    site.chain.close()
    site.database.close()


class Signer:
    """Somebody whose wallet is a file, signed in at the site."""

    def __init__(self, app, place, name):
        place.context(name)
        self.signer = load_wallet(place.wallet(name))
        seed = self.signer.secret_bytes()[:32]
        self.browser = Browser(app).sign_in(Wallet(seed))

    def plan(self, place, note):
        text = f"{place.repo.creator}/{place.repo.name}"
        fields = {"repo": text, "scope": "contribute", "note": note}
        answer = self.browser.post("/actions/join_request/plan", {"fields": fields})
        assert answer.status_code == 200, answer.json
        return answer.json

    def send(self, plan, message):
        wire = without_signatures(message)
        signature = self.signer.sign(message)
        return self.send_wire(plan, wire[:1] + signature + wire[65:])

    def send_wire(self, plan, wire):
        text = base64.b64encode(wire).decode()
        path = f"/actions/plans/{plan['plan']}/send"
        return self.browser.post(path, {"transaction": text})

    def progress(self, plan):
        return self.browser.get(f"/actions/plans/{plan['plan']}/progress")


def message_of(plan):
    return base64.b64decode(plan["message"])


def note_block(text):
    import hashlib

    return Cid(CODEC_RAW, hashlib.sha256(text.encode()).digest())


def test_what_is_sent_is_followed_and_kept(app, place):
    nurse = Signer(app, place, "nurse")
    store = app.extensions["flair"].store
    plan = nurse.plan(place, "first words")
    assert not store.has(note_block("first words")), "nothing is kept of a plan"
    assert nurse.progress(plan).status_code == 422

    sent = nurse.send(plan, message_of(plan))
    again = nurse.send(plan, message_of(plan))
    found = nurse.progress(plan).json

    assert sent.json == again.json
    assert found["error"] is None
    assert found["state"] in ("confirmed", "finalized")
    assert store.get(note_block("first words")) == b"first words"
    assert len(list(store)) == 2, "the note, and the event"
    join_request_close(place.context("nurse"), place.repo)


def test_what_no_wallet_was_asked_for_is_not_sent(app, place):
    heir = Signer(app, place, "heir")
    store = app.extensions["flair"].store
    plan = heir.plan(place, "never sent")
    wallet = heir.signer.address
    grant = role_grant(
        payer=wallet,
        actor=wallet,
        repo=wallet,
        grantee=wallet,
        scope=1,
        expires_at=0,
    )
    blockhash = read_transaction(without_signatures(message_of(plan))).blockhash

    other = heir.send_wire(
        plan, sign_transaction([grant], [heir.signer], blockhash).wire
    )
    unsigned = heir.send_wire(plan, without_signatures(message_of(plan)))

    assert other.status_code == unsigned.status_code == 422
    assert "was not asked for" in other.json["error"]
    assert "has not signed" in unsigned.json["error"]
    assert list(store) == []


def test_what_would_fail_says_why_and_keeps_nothing(app, place):
    ward = Signer(app, place, "ward")
    store = app.extensions["flair"].store
    plan = ward.plan(place, "too late")
    join_request(place.context("ward"), place.repo)

    answer = ward.send(plan, message_of(plan))

    assert answer.status_code == 422
    assert "exists already" in answer.json["error"]
    assert list(store) == []


def test_a_blockhash_that_expired_is_replaced_and_nothing_else_is(app, place):
    late = Signer(app, place, "late")
    plan = late.plan(place, "late")
    before = read_transaction(without_signatures(message_of(plan)))
    place.wait(300)

    expired = late.send(plan, message_of(plan))
    path = f"/actions/plans/{plan['plan']}/refresh"
    fresh = base64.b64decode(late.browser.post(path, {}).json["message"])
    after = read_transaction(without_signatures(fresh))

    assert expired.status_code == 410
    assert "nothing was charged" in expired.json["error"]
    assert after.instructions == before.instructions
    assert after.blockhash != before.blockhash
    assert late.send(plan, fresh).status_code == 200


def test_a_wallet_without_money_is_told_so(app, place):
    place.context("poor", funds=0)
    poor = Signer(app, place, "poor")
    text = f"{place.repo.creator}/{place.repo.name}"
    fields = {"repo": text, "scope": "contribute"}

    answer = poor.browser.post("/actions/join_request/plan", {"fields": fields})

    assert answer.status_code == 422
    assert "insufficient lamports" in answer.json["error"]


def test_another_cluster_than_the_pinned_one_is_not_signed_for(place, tmp_path):
    made = make_site(tmp_path, wall_clock, rpc_url=place.url, genesis_hash="1" * 32)
    owner = Signer(made, place, "owner")

    answer = owner.browser.post(
        "/actions/repo_create/plan",
        {"fields": {"name": "other", "points_per_merge": "1"}},
    )

    assert answer.status_code == 422
    assert "belongs to the cluster" in answer.json["error"]
    made.extensions["flair"].chain.close()
    made.extensions["flair"].database.close()
