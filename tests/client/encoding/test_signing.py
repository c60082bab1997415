from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flair_client.encoding import (
    encode_unsigned_commit,
    sign_commit,
    signing_text,
    verify_commit_signature,
)
from flair_client.errors import ObjectInvalid, SignatureInvalid
from flair_client.testing_objects import make_address, make_commit, make_key, sign


def verify(address, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(bytes(address)).verify(signature, message)
    except InvalidSignature as exc:
        raise SignatureInvalid(str(address)) from exc


def test_a_signed_commit_verifies():
    verify_commit_signature(sign(make_commit()), verify)


def test_a_commit_signed_by_another_is_refused():
    commit = make_commit()
    forged = replace(commit, signature=make_key(2).sign(signing_text(commit)))

    with pytest.raises(SignatureInvalid):
        verify_commit_signature(forged, verify)


@pytest.mark.parametrize(
    "change", [{"message": "other"}, {"time": 1}, {"author": make_address(2)}]
)
def test_a_commit_changed_after_signing_is_refused(change):
    changed = replace(sign(make_commit()), **change)

    with pytest.raises(SignatureInvalid):
        verify_commit_signature(changed, verify)


def test_the_author_must_be_the_signer():
    with pytest.raises(SignatureInvalid, match="the author is"):
        sign_commit(make_commit(), make_address(2), make_key(2).sign)


def test_the_text_does_not_cover_the_signature():
    commit = make_commit()

    assert signing_text(sign(commit)) == signing_text(commit)


def test_a_signed_commit_has_no_unsigned_bytes():
    with pytest.raises(ObjectInvalid, match="signed already"):
        encode_unsigned_commit(sign(make_commit()))


def test_an_unsigned_commit_is_no_commit():
    from flair_client.encoding import encode_commit

    with pytest.raises(ObjectInvalid, match=r"commit\.signature: 0 bytes"):
        encode_commit(make_commit())
