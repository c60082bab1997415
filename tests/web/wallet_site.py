"""A site without a chain, and a browser that signs in by hand."""

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flair_client.ids import Address
from flair_client.store.memory import MemoryStore
from flair_indexer.db import open_database
from flair_web.app import create_app
from flair_web.settings import WebSettings

ORIGIN = "https://models.example"
# A port at which nobody answers.
NOWHERE = "http://127.0.0.1:9"


@dataclass
class Clock:
    seconds: int = 1_800_000_000

    def __call__(self):
        return self.seconds


def make_site(tmp_path, clock, **settings):
    database = open_database(f"sqlite:///{tmp_path / 'site.sqlite'}")
    known = {"origin": ORIGIN, "rpc_url": NOWHERE, "rate": ""} | settings
    return create_app(
        WebSettings("", "", **known),
        database=database,
        store=MemoryStore(),
        now=clock,
    )


@dataclass
class Wallet:
    """A key that signs texts."""

    seed: bytes = bytes([1]) * 32
    key: Ed25519PrivateKey = field(init=False)

    def __post_init__(self):
        self.key = Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def address(self):
        return str(Address(self.key.public_key().public_bytes_raw()))

    def answer(self, text, **lies):
        message = lies.get("signed", text).encode()
        return {
            "address": lies.get("address", self.address),
            "message": base64.b64encode(lies.get("sent", message)).decode(),
            "signature": base64.b64encode(self.key.sign(message)).decode(),
        }


class Browser:
    """One cookie jar, and the token that its page was given."""

    def __init__(self, app):
        self.client = app.test_client()
        self.csrf = ""

    def get(self, path):
        return self.client.get(path, base_url=ORIGIN)

    def session(self):
        told = self.get("/session").json
        self.csrf = told["csrf"]
        return told

    def post(self, path, body, *, headers=None):
        given = {"Origin": ORIGIN, "X-Flair-Token": self.csrf}
        return self.client.post(
            path,
            json=body,
            base_url=ORIGIN,
            headers=given if headers is None else headers,
        )

    def challenge(self, wallet):
        answer = self.post("/session/challenge", {"address": wallet.address})
        return answer.json["text"]

    def sign_in(self, wallet):
        self.session()
        signed = wallet.answer(self.challenge(wallet))
        told = self.post("/session/sign-in", signed)
        assert told.status_code == 200, told.json
        self.csrf = told.json["csrf"]
        return self

    def cookie(self):
        return self.client.get_cookie("__Host-flair", domain="models.example").value
