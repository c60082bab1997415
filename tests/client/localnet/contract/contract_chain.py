"""A chain as its RPC shows it, asked without Flair's own client."""

import base64
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from flair_client.chain.instructions import AccountMeta, Instruction
from flair_client.chain.pdas import SYSTEM_PROGRAM_ID
from flair_client.chain.transactions import sign_transaction

SOL = 10**9
CONFIRMED = {"commitment": "confirmed"}
B64 = {"encoding": "base64", "commitment": "confirmed"}
SEND = {"encoding": "base64", "preflightCommitment": "confirmed"}
NOBODY = "1" * 64
_TIMEOUT_S = 60


class Chain:
    """Questions and transactions."""

    def __init__(self, name, url, operator: Path):
        self.name, self.url = name, url
        self.operator = operator
        self.http = httpx.Client(timeout=30, trust_env=False)

    def close(self):
        self.http.close()

    @property
    def ws_url(self):
        """Of the WebSocket: a real node takes the port after the RPC's."""
        parts = urlsplit(self.url)
        return f"ws://{parts.hostname}:{parts.port + (self.name == 'validator')}/"

    def body(self, method, *params):
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self.http.post(self.url, json=question)
        assert answer.status_code == 200
        return answer.json()

    def ask(self, method, *params):
        answer = self.body(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method, *params):
        answer = self.body(method, *params)
        assert "error" in answer, answer
        return answer["error"]

    def blockhash(self):
        return self.ask("getLatestBlockhash", CONFIRMED)["value"]["blockhash"]

    def fund(self, signer, n_sol=10):
        asked = self.ask("requestAirdrop", str(signer.address), n_sol * SOL, CONFIRMED)
        self.confirm(asked)

    def send(self, wire, **options):
        text = base64.b64encode(wire).decode()
        return self.ask("sendTransaction", text, {**SEND, **options})

    def refusal(self, wire, **options):
        text = base64.b64encode(wire).decode()
        return self.error("sendTransaction", text, {**SEND, **options})

    def simulate(self, wire, **options):
        text = base64.b64encode(wire).decode()
        return self.ask("simulateTransaction", text, {**B64, **options})["value"]

    def confirm(self, signature):
        """Waits until a transaction is confirmed; gives its status."""
        ends = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < ends:
            (status,) = self.ask("getSignatureStatuses", [signature])["value"]
            if status and status["confirmationStatus"] != "processed":
                return status
            time.sleep(0.05)
        raise AssertionError(f"{signature} is not confirmed")

    def transaction(self, signature, **options):
        """Gives a confirmed transaction; a node may know its status before it."""
        given = {"maxSupportedTransactionVersion": 1, **CONFIRMED, **options}
        ends = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < ends:
            found = self.ask("getTransaction", signature, given)
            if found is not None:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{signature} cannot be fetched")

    def pay(self, signer, to, lamports=SOL // 100):
        """Sends a transfer and waits for it; gives its signature."""
        signature = self.send(self.sign(signer, give(signer.address, to, lamports)))
        assert self.confirm(signature)["err"] is None
        return signature

    def sign(self, signer, *instructions, blockhash=None):
        """Gives the bytes of a legacy transaction."""
        return sign_transaction(
            instructions, [signer], blockhash or self.blockhash()
        ).wire

    def sign_version(self, signer, to, *, version, n=1, **config):
        """Gives the bytes of a transaction of `n` transfers, version 0 or 1."""
        keypair = Keypair.from_bytes(signer.secret_bytes())
        payer, target = keypair.pubkey(), Pubkey.from_bytes(to.raw)
        gifts = [
            transfer(TransferParams(from_pubkey=payer, to_pubkey=target, lamports=one))
            for one in range(SOL // 100, SOL // 100 + n)
        ]
        blockhash = Hash.from_string(self.blockhash())
        message = (
            MessageV0.try_compile(payer, gifts, [], blockhash)
            if version == 0
            else MessageV1.try_compile(
                payer, gifts, blockhash, TransactionConfig(**config)
            )
        )
        return bytes(VersionedTransaction(message, [keypair]))


def give(source, to, lamports=SOL // 100):
    """An instruction that moves money."""
    return Instruction(
        SYSTEM_PROGRAM_ID,
        (
            AccountMeta(source, is_signer=True, is_writable=True),
            AccountMeta(to, is_signer=False, is_writable=True),
        ),
        (2).to_bytes(4, "little") + lamports.to_bytes(8, "little"),
        "transfer",
    )
