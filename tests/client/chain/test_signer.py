import json
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flair_client.chain.signer import (
    KeypairSigner,
    create_wallet,
    load_wallet,
    verify_signature,
)
from flair_client.errors import SignatureInvalid, WalletError


def test_a_wallet_comes_back_from_its_file(tmp_path):
    made = create_wallet(tmp_path / "wallets" / "me.json")

    loaded = load_wallet(tmp_path / "wallets" / "me.json")

    assert loaded.address == made.address
    assert (tmp_path / "wallets" / "me.json").stat().st_mode & 0o777 == 0o600


def test_a_wallet_is_what_solanas_tools_write(tmp_path):
    secret = Ed25519PrivateKey.from_private_bytes(b"\5" * 32)
    public = secret.public_key().public_bytes_raw()
    path = tmp_path / "id.json"
    path.write_text(json.dumps(list(b"\5" * 32 + public)))
    path.chmod(0o600)

    signer = load_wallet(path)

    assert signer.address.raw == public
    assert signer.sign(b"text") == secret.sign(b"text")


def test_a_wallet_is_never_overwritten(tmp_path):
    create_wallet(tmp_path / "me.json")

    with pytest.raises(WalletError, match="exists already"):
        create_wallet(tmp_path / "me.json")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_wallet_that_others_can_read_is_refused(tmp_path, mode):
    create_wallet(tmp_path / "me.json")
    (tmp_path / "me.json").chmod(mode)

    with pytest.raises(WalletError, match="readable by others"):
        load_wallet(tmp_path / "me.json")


def test_a_missing_wallet_is_named(tmp_path):
    with pytest.raises(WalletError, match=r"there is no wallet .*me\.json"):
        load_wallet(tmp_path / "me.json")


def test_a_folder_is_no_wallet(tmp_path):
    (tmp_path / "me.json").mkdir(mode=0o700)

    with pytest.raises(WalletError):
        load_wallet(tmp_path / "me.json")


def test_a_pipe_is_no_wallet_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "me.json", 0o600)

    with pytest.raises(WalletError, match="is not a file"):
        load_wallet(tmp_path / "me.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1, 2]",
        json.dumps([256] * 64),
        json.dumps([-1] * 64),
        json.dumps([1.0] * 64),
        json.dumps([True] * 64),
        json.dumps([1] * 64),
        "[" * 4000,
        " " * 5000,
    ],
)
def test_another_file_is_no_wallet(tmp_path, text):
    path = tmp_path / "me.json"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(WalletError):
        load_wallet(path)


def test_the_secret_is_not_shown():
    signer = KeypairSigner(b"\7" * 32)

    assert repr(signer) == f"KeypairSigner({signer.address})"


def test_a_signature_is_checked():
    signer, other = KeypairSigner(b"\7" * 32), KeypairSigner(b"\x08" * 32)
    signature = signer.sign(b"text")

    verify_signature(signer.address, b"text", signature)
    for address, text, wrong in (
        (signer.address, b"texT", signature),
        (other.address, b"text", signature),
        (signer.address, b"text", signature[:-1]),
        (signer.address, b"text", signature[:-1] + b"\xff"),
        (signer.address, b"text", bytes(64)),
    ):
        with pytest.raises(SignatureInvalid):
            verify_signature(address, text, wrong)
