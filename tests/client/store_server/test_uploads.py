"""Who may send what to a store server, and what becomes of what is false."""

import hashlib
import io
import threading

import httpx
import pytest
from server_world import MACHINE, MIB, NOW, STRANGER, put_raw, raw_block

from flair_client.chain.accounts import Scope
from flair_client.encoding.car import encode_block_head, encode_header
from flair_client.errors import (
    BlockMissing,
    ChainError,
    ObjectInvalid,
    StoreUnavailable,
    UploadRefused,
)
from flair_client.ids import CODEC_RAW, Digest, block_cid
from flair_client.store.bulk import BlockSource
from flair_client.store.car import write_car
from flair_client.store.upload_text import UploadText
from flair_client.store_server.rights import Standing
from flair_client.testing import (
    ALICE,
    BOB,
    OWNER,
    PARAMS,
    REPO,
    make_delegation,
    make_policy,
    make_role,
)


def car_of(*blocks):
    file = io.BytesIO()
    pairs = [(block_cid(CODEC_RAW, block), block) for block in blocks]
    write_car(file, pairs[-1][0], pairs)
    return file.getvalue()


def text_of(world, car, **changes):
    values = {
        "host": world.url.removeprefix("http://"),
        "repo": REPO,
        "wallet": ALICE.address,
        "car": Digest(hashlib.sha256(car).digest()),
        "size": len(car),
        "nonce": "0" * 32,
        "expires_at": NOW + 60,
    }
    return UploadText(**(values | changes))


def begin(world, text, signer=ALICE):
    return world.desk.begin(text.message, signer.address, signer.sign(text.message))


def send(world, car, at):
    with world.desk.append(at.id, at.offset) as writer:
        writer.write(car[at.offset :])
    return world.desk.finish(at.id)


def refused(code):
    class Caught:
        def __enter__(self):
            self._raises = pytest.raises(UploadRefused)
            self._found = self._raises.__enter__()

        def __exit__(self, *error):
            result = self._raises.__exit__(*error)
            assert self._found.value.code == code, self._found.value
            return result

    return Caught()


@pytest.mark.parametrize(
    ("signer", "standing"), [(OWNER, "authority"), (ALICE, "contribute")]
)
def test_who_has_a_role_sends_blocks_and_anybody_reads_them(world, signer, standing):
    store = world.client(signer)

    cid = put_raw(store, 1)

    assert world.blocks.get(cid) == raw_block(1)
    assert world.client(STRANGER).get(cid) == raw_block(1)
    assert [one.standing for one in world.desk.ledger.taken(NOW)] == [standing]


def test_the_strongest_role_counts(world):
    world.chain.role_accounts += [make_role(BOB, scope) for scope in (4, 2)]

    put_raw(world.client(BOB), 2)

    (taken,) = world.desk.ledger.taken(NOW)
    assert taken.standing is Standing.MERGE


@pytest.mark.parametrize(
    "change",
    [
        {"repo": BOB.address},
        {"expires_at": NOW},
        {"authority_epoch": 1},
    ],
)
def test_a_stranger_is_refused_and_so_is_a_role_that_is_over(world, change):
    world.chain.role_accounts = [make_role(ALICE, Scope.CONTRIBUTE, **change)]
    world.chain.policy_accounts = [make_policy(params=PARAMS_INVITED)]

    with refused("stranger"):
        put_raw(world.client(ALICE), 3)

    assert list(world.blocks) == []


PARAMS_INVITED = type(PARAMS)(
    **{
        name: getattr(PARAMS, name)
        for name in PARAMS.__slots__
        if name not in ("reserved", "contribute")
    },
    contribute=1,
)


def test_an_open_repository_has_a_quota_for_all_strangers_together(world):
    with refused("stranger"):
        put_raw(world.client(STRANGER), 4)
    world.quotas[Standing.OPEN] = 3000

    put_raw(world.client(STRANGER), 4, size=1400)
    with refused("quota"):
        put_raw(world.client(MACHINE), 5, size=1600)

    put_raw(world.client(MACHINE), 5, size=1200)


def test_a_machine_key_sends_as_a_contributor_for_whom_it_was_made(world):
    machine = world.client(MACHINE, wallet=OWNER.address)
    with refused("signer"):
        put_raw(machine, 6)
    world.chain.lent = [make_delegation(OWNER, MACHINE, expires_at=NOW + 1)]

    put_raw(machine, 6)
    (taken,) = world.desk.ledger.taken(NOW)
    world.chain.lent = [make_delegation(OWNER, MACHINE, expires_at=NOW)]
    with refused("signer"):
        put_raw(machine, 7)

    assert taken.wallet == OWNER.address
    assert taken.standing is Standing.CONTRIBUTE


def test_an_upload_over_the_quota_is_refused_before_it_is_sent(world):
    sent = []
    inner = httpx.HTTPTransport()

    class Counting(httpx.BaseTransport):
        def handle_request(self, request):
            sent.append(request.method)
            return inner.handle_request(request)

        def close(self):
            inner.close()

    store = world.client(ALICE, http=Counting())
    for n in range(7):
        put_raw(store, n, size=MIB)
    sent.clear()

    with refused("quota"):
        put_raw(store, 8, size=MIB)

    assert "PATCH" not in sent
    assert put_raw(world.client(OWNER), 8, size=MIB) in list(world.blocks)


def test_the_quota_is_of_a_day(world):
    store = world.client(ALICE)
    for n in range(7):
        put_raw(store, n, size=MIB)
    world.now = lambda: NOW + 86_400

    put_raw(world.client(ALICE), 8, size=MIB)


def test_a_signature_is_taken_once(world):
    car = car_of(b"once")
    text = text_of(world, car)
    send(world, car, begin(world, text))

    with refused("replayed"):
        begin(world, text)


def test_a_replay_cannot_go_on_with_an_upload_that_is_open(world):
    car = car_of(b"open")
    text = text_of(world, car)
    begin(world, text)

    with refused("replayed"):
        begin(world, text)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"host": "other.test"}, "host"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW + 7200}, "expired"),
        ({"size": 0}, "size"),
        ({"size": 1 << 30}, "size"),
        ({"repo": BOB.address}, "repo"),
    ],
)
def test_a_text_for_something_else_is_refused(world, change, code):
    text = text_of(world, car_of(b"text"), **change)

    with refused(code):
        begin(world, text)


def test_a_text_that_was_changed_or_signed_by_another_is_refused(world):
    text = text_of(world, car_of(b"text"))
    longer = text_of(world, car_of(b"text"), size=9999)

    with refused("signature"):
        world.desk.begin(text.message, ALICE.address, BOB.sign(text.message))
    with refused("signature"):
        world.desk.begin(longer.message, ALICE.address, ALICE.sign(text.message))
    with pytest.raises(ObjectInvalid):
        world.desk.begin(text.message + b"\n", ALICE.address, bytes(64))


def test_a_file_that_is_not_the_signed_one_is_dropped(world):
    car = car_of(b"signed")
    at = begin(world, text_of(world, car))

    with refused("digest"):
        send(world, car[:-1] + b"!", at)

    assert list(world.blocks) == []
    with refused("unknown"):
        world.desk.progress(at.id)
    assert list((world.folder / "desk" / "uploads").iterdir()) == []


def test_of_a_file_with_one_lying_block_nothing_is_kept(world):
    good, false = b"a good block", b"another one"
    cid = block_cid(CODEC_RAW, false)
    car = encode_header((cid,))
    car += encode_block_head(block_cid(CODEC_RAW, good), len(good)) + good
    car += encode_block_head(cid, len(false)) + false[::-1]
    at = begin(world, text_of(world, car))

    with refused("block"):
        send(world, car, at)

    assert list(world.blocks) == []
    assert world.desk.ledger.taken(NOW) == ()


def test_a_client_that_is_refused_does_not_try_for_ever(world):
    lying = BlockSource(block_cid(CODEC_RAW, b"told"), 4, lambda: b"sent")

    with refused("block"):
        world.client(ALICE).put_all([lying])


def test_more_bytes_than_were_signed_are_not_written(world):
    car = car_of(b"short")
    at = begin(world, text_of(world, car))

    with world.desk.append(at.id, 0) as writer, refused("size"):
        writer.write(car + b"more")

    assert world.desk.progress(at.id).offset == 0


def test_an_upload_goes_on_where_it_was_cut_off_even_with_another_client(world):
    car = car_of(*(raw_block(n, 5000) for n in range(4)))
    first = begin(world, text_of(world, car))
    with world.desk.append(first.id, 0) as writer:
        writer.write(car[:7000])

    again = begin(world, text_of(world, car, nonce="1" * 32))
    with refused("offset"), world.desk.append(again.id, 0):
        pass
    done = send(world, car, again)

    assert (again.id, again.offset) == (first.id, 7000)
    assert done.is_done
    assert len(list(world.blocks)) == 4
    assert [one.n_bytes for one in world.desk.ledger.taken(NOW)] == [len(car)]


def test_somebody_else_does_not_find_an_upload_by_its_file(world):
    world.chain.role_accounts.append(make_role(BOB, Scope.CONTRIBUTE))
    car = car_of(b"mine")
    mine = begin(world, text_of(world, car))

    his = begin(world, text_of(world, car, wallet=BOB.address), BOB)

    assert his.id != mine.id


class Cutting(httpx.BaseTransport):
    """Breaks the connection in the middle of the first pieces."""

    def __init__(self, n_cuts):
        self.left = n_cuts
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request):
        if request.method == "PATCH" and self.left:
            self.left -= 1
            body = request.read()
            half = httpx.Request(
                "PATCH",
                request.url,
                headers={"upload-offset": request.headers["upload-offset"]},
                content=body[: len(body) // 2],
            )
            self._inner.handle_request(half).close()
            raise httpx.WriteError("cut")
        return self._inner.handle_request(request)

    def close(self):
        self._inner.close()


def test_a_connection_that_breaks_loses_at_most_a_piece(world):
    world.quotas[Standing.CONTRIBUTE] = 64 * MIB
    cutting = Cutting(3)
    store = world.client(ALICE, http=cutting)

    with store.batch():
        cids = [put_raw(store, n, size=MIB) for n in range(10)]

    assert cutting.left == 0
    assert set(world.blocks) == set(cids)
    assert [one.n_uploads for one in world.desk.ledger.taken(NOW)] == [1]


def test_what_is_there_is_not_sent_again(world):
    store = world.client(ALICE)
    blocks = [raw_block(n) for n in range(3)]
    sources = [
        BlockSource(block_cid(CODEC_RAW, one), len(one), lambda one=one: one)
        for one in blocks
    ]
    store.put_all(sources[:2])
    heard = []

    sent = store.put_all(sources, done=heard.append)

    assert sent == (1, 1000)
    assert heard == sources


def test_two_uploads_at_once_are_both_kept(world):
    world.chain.role_accounts.append(make_role(BOB, Scope.CONTRIBUTE))
    meet = threading.Barrier(2)
    failures = []

    def run(signer, start):
        try:
            store = world.client(signer)
            meet.wait(30)
            with store.batch():
                for n in range(start, start + 20):
                    put_raw(store, n, size=50_000)
        except BaseException as exc:  # noqa: BLE001 - told by the test itself
            failures.append(exc)

    both = [threading.Thread(target=run, args=two) for two in ((ALICE, 0), (BOB, 10))]
    for one in both:
        one.start()
    for one in both:
        one.join(60)

    assert failures == []
    wanted = {block_cid(CODEC_RAW, raw_block(n, 50_000)) for n in range(30)}
    assert set(world.blocks) == wanted


def test_one_upload_is_sent_by_one_at_a_time(world):
    car = car_of(b"alone")
    at = begin(world, text_of(world, car))

    with world.desk.append(at.id, 0), refused("busy"), world.desk.append(at.id, 0):
        pass


def test_what_nobody_went_on_with_for_a_day_counts_no_more(world):
    car = car_of(b"left")
    at = begin(world, text_of(world, car))
    later = NOW + 86_401
    world.now = lambda: later

    world.desk.sweep()

    with refused("unknown"):
        world.desk.progress(at.id)
    assert world.desk.ledger.taken(NOW) == ()


def test_without_the_chain_nothing_is_taken_and_blocks_are_given(world):
    cid = put_raw(world.client(ALICE), 9)

    def gone(_repo):
        raise ChainError("no RPC at secret.internal")

    world.chain.repo = gone
    answer = world.ask("GET", f"/ipfs/{cid}", params={"format": "raw"})

    assert answer.content == raw_block(9)
    with pytest.raises(StoreUnavailable) as caught:
        put_raw(world.client(ALICE), 10)
    assert "secret" not in str(caught.value)


def test_who_only_reads_cannot_send(world):
    store = world.client(ALICE, repo=None)

    with refused("sender"):
        put_raw(store, 11)
    with refused("delete"):
        store.delete(block_cid(CODEC_RAW, b""))
    with pytest.raises(StoreUnavailable):
        list(store)
    with pytest.raises(BlockMissing):
        store.get(block_cid(CODEC_RAW, b"not there"))


def test_of_several_repositories_the_one_with_a_role_counts(world):
    store = world.client(ALICE)
    for address in (BOB.address, OWNER.address):
        store.for_repo(address)

    cid = put_raw(store, 12)

    assert cid in list(world.blocks)
    assert store.sender.repos == (OWNER.address, BOB.address, REPO)
    store.for_repo(REPO)
    assert store.sender.repos[0] == REPO


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"text": 1}',
        b'{"text": "\\ud800", "signer": "x", "signature": "y"}',
        b'{"text": "x", "signer": "' + b"1" * 32 + b'", "signature": "0"}',
        b"[" * 2000,
    ],
)
def test_nonsense_is_answered_with_a_sentence(world, body):
    answer = world.ask("POST", "/uploads", content=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "request"


def test_questions_have_a_size(world):
    assert world.ask("POST", "/uploads", content=b" " * 5000).status_code == 403
    many = {"cids": [str(block_cid(CODEC_RAW, b""))] * 1001}
    assert world.ask("POST", "/missing", json=many).status_code == 400
    assert world.ask("POST", "/missing", json={"cids": ["x"]}).status_code == 400
    assert world.ask("PATCH", "/uploads/none").status_code == 400
    headers = {"upload-offset": "0"}
    for path in ("/uploads/none", "/uploads/..%2fledger"):
        assert world.ask("PATCH", path, headers=headers).status_code in (400, 404)
    assert world.ask("POST", "/uploads/none/finish").status_code == 404


def test_health_tells_whether_the_ledger_can_be_read(world):
    assert world.ask("GET", "/healthz").json() == {"status": "ok"}
    (world.folder / "desk").mkdir(exist_ok=True)
    (world.folder / "desk" / "ledger.db").write_bytes(b"not a database" * 100)

    assert world.ask("GET", "/healthz").status_code == 503


def test_the_signed_text_is_read_in_one_form_only():
    text = UploadText(
        "store.example", REPO, ALICE.address, Digest(bytes(32)), 5, "0" * 32, 9
    )
    message = text.message

    assert UploadText.parse(message) == text
    assert b"flair upload v1\nhost: store.example\n" in message
    for false in (
        message.replace(b"v1", b"v2"),
        message.replace(b"size: 5", b"size: 05"),
        message.replace(b"size: 5", b"size: -5"),
        message.replace(b"nonce: 0", b"nonce: A"),
        message.replace(b"host: store", b"host: Store"),
        message.replace(b"car: 00", b"car: 0 0"),
        message + b"\nmore: 1",
        message.replace(b"\n", b"\r\n"),
        "flair upload v1\nhost: é".encode(),
        b"",
        message.replace(b"wallet: ", b"wallet: 1"),
    ):
        with pytest.raises(ObjectInvalid):
            UploadText.parse(false)
