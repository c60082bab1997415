"""Whatever a sponsor answers becomes a signature or one clear sentence."""

import base64
import itertools
import json

import base58
import httpx
import pytest
from sponsor_world import BLOCKHASH, SPONSOR

from flair_client.chain import instructions
from flair_client.chain.transactions import sign_transaction
from flair_client.errors import (
    SignatureInvalid,
    SponsorRefused,
    SponsorUnavailable,
    UsageError,
)
from flair_client.sponsor.signer import SponsorSigner
from flair_client.testing import ALICE, BOB, NOW, REPO

STEP = instructions.delegation_create(
    payer=SPONSOR.address,
    wallet=ALICE.address,
    repo=REPO,
    machine_key=BOB.address,
    expires_at=NOW,
)


def sign(answer, naps=None):
    naps = [] if naps is None else naps
    signer = SponsorSigner(
        "http://127.0.0.1:1/under",
        SPONSOR.address,
        http=httpx.MockTransport(lambda request: as_sent(answer(request))),
        sleep=naps.append,
    )
    return sign_transaction([STEP], [signer, ALICE], BLOCKHASH)


def as_sent(made):
    """The same answer, its body still to be read, as from a connection."""
    return httpx.Response(
        made.status_code, headers=made.headers, stream=httpx.ByteStream(made.content)
    )


def honest(request):
    wire = base64.b64decode(json.loads(request.content)["transaction"])
    signature = SPONSOR.sign(wire[1 + 2 * 64 :])
    return httpx.Response(200, json={"signature": base58.b58encode(signature).decode()})


def test_its_signature_comes_first_in_the_transaction():
    seen = []

    def answer(request):
        seen.append(request)
        return honest(request)

    signed = sign(answer)

    assert seen[0].url == "http://127.0.0.1:1/under/sign"
    assert seen[0].method == "POST"
    assert signed.wire[1:65] == base58.b58decode(signed.signature)
    assert signed.wire[65:129] != bytes(64)


def test_a_refusal_is_told_in_its_words_without_control_characters():
    def answer(_):
        said = {"code": "cap", "message": "no more\x1b[2J today"}
        return httpx.Response(403, json={"error": said})

    with pytest.raises(SponsorRefused, match="no more") as caught:
        sign(answer)

    assert caught.value.code == "cap"
    assert "\x1b" not in str(caught.value)


def test_another_ones_signature_is_not_taken():
    def answer(request):
        wire = base64.b64decode(json.loads(request.content)["transaction"])
        signature = base58.b58encode(BOB.sign(wire[129:])).decode()
        return httpx.Response(200, json={"signature": signature})

    with pytest.raises(SignatureInvalid):
        sign(answer)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"signature": 7}),
        httpx.Response(200, json={"signature": "0OIl"}),
        httpx.Response(200, json={"signature": "1" * 5}),
        httpx.Response(200, json={"signature": "1" * 3000}),
        httpx.Response(200, text="[" * 4000),
        httpx.Response(200, content=bytes(5000)),
        httpx.Response(302, headers={"location": "http://127.0.0.1:2"}),
        httpx.Response(404),
        httpx.Response(503, json={"error": {"code": "chain", "message": "no RPC"}}),
    ],
)
def test_nonsense_is_no_signature(answer):
    with pytest.raises(SponsorUnavailable):
        sign(lambda _: answer)


def test_it_is_asked_again_where_the_connection_breaks():
    tried = []

    def answer(request):
        tried.append(request.content)
        if len(tried) < 3:
            raise httpx.ConnectError("broken")
        return honest(request)

    naps = []
    sign(answer, naps)

    assert len(set(tried)) == 1
    assert naps == [0.5, 1.0]


def test_one_that_is_not_there_is_named():
    def answer(_):
        raise httpx.ConnectError("nobody there")

    with pytest.raises(SponsorUnavailable, match=r"127\.0\.0\.1:1.*nobody there"):
        sign(answer)


def test_it_signs_no_bare_message():
    with pytest.raises(UsageError):
        SponsorSigner("http://127.0.0.1:1", SPONSOR.address).sign(b"pay")


@pytest.mark.parametrize("url", ["http://1.2.3.999", "http://[v1.x]"])
def test_a_url_of_no_possible_host_is_named(url):
    signer = SponsorSigner(url, SPONSOR.address)

    with pytest.raises(UsageError, match="sponsor's URL"):
        signer.cosign(bytes(1))


def test_an_answer_that_never_ends_is_given_up():
    class Drip(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                yield b" "

    seconds = itertools.count(step=10)
    signer = SponsorSigner(
        "http://127.0.0.1:1",
        SPONSOR.address,
        timeout_s=30.0,
        http=httpx.MockTransport(lambda _: httpx.Response(200, stream=Drip())),
        sleep=lambda _: None,
        now=lambda: float(next(seconds)),
    )

    with pytest.raises(SponsorUnavailable, match="does not end"):
        sign_transaction([STEP], [signer, ALICE], BLOCKHASH)
