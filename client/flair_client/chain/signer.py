"""Who signs: wallets on disk, and the check of a signature.

A wallet is a file as Solana's own tools write it: a JSON array of 64 numbers, the
secret seed and the public key.
"""

import json
import os
import stat
from pathlib import Path
from typing import Final, Protocol

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from flair_client.errors import SignatureInvalid, WalletError
from flair_client.ids import Address

SIGNATURE_SIZE: Final = 64
_KEYPAIR_SIZE: Final = 64
_BYTE_MAX: Final = 255
_FILE_LIMIT: Final = 4096
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Signer(Protocol):
    """Something that signs for one address."""

    @property
    def address(self) -> Address:
        """Whose signature it makes."""

    def sign(self, message: bytes) -> bytes:
        """Gives the 64 bytes of an Ed25519 signature over the message."""


class KeypairSigner:
    """Signs with a key held in memory."""

    __slots__ = ("_keypair",)

    def __init__(self, secret: bytes) -> None:
        """Takes 64 bytes, seed and public key, or the 32 bytes of a seed.

        Raises:
            WalletError: other sizes, or a public key that is not the seed's.
        """
        try:
            if len(secret) == _KEYPAIR_SIZE:
                self._keypair = Keypair.from_bytes(secret)
            else:
                self._keypair = Keypair.from_seed(secret)
        except ValueError as exc:
            raise WalletError("the key is not an Ed25519 key pair") from exc

    @classmethod
    def generate(cls) -> "KeypairSigner":
        """Makes a new random key."""
        return cls(os.urandom(32))

    @property
    def address(self) -> Address:
        """Whose signature it makes."""
        return Address(bytes(self._keypair.pubkey()))

    def sign(self, message: bytes) -> bytes:
        """Gives the 64 bytes of an Ed25519 signature over the message."""
        return bytes(self._keypair.sign_message(message))

    def secret_bytes(self) -> bytes:
        """Gives the 64 secret bytes, for the wallet file alone."""
        return bytes(self._keypair)

    def __repr__(self) -> str:
        return f"KeypairSigner({self.address})"


def create_wallet(path: Path) -> KeypairSigner:
    """Makes a new key and writes it to a file that only the user can read.

    Raises:
        WalletError: the file exists or cannot be written.
    """
    signer = KeypairSigner.generate()
    text = json.dumps(list(signer.secret_bytes()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except FileExistsError as exc:
        raise WalletError(f"wallet {path} exists already") from exc
    except OSError as exc:
        raise WalletError(f"wallet {path} cannot be written: {exc.strerror}") from exc
    return signer


def load_wallet(path: Path) -> KeypairSigner:
    """Reads a wallet file.

    Raises:
        WalletError: missing, readable by others, or not a key pair.
    """
    try:
        # Not blocking: a pipe in the wallet's place is refused, not waited for.
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as file:
            # The open file is asked, so that nobody can swap it in between.
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise WalletError(f"wallet {path} is not a file")
            if status.st_mode & _OTHERS:
                raise WalletError(
                    f"wallet {path} is readable by others "
                    f"(mode {stat.S_IMODE(status.st_mode):o})"
                )
            raw = file.read(_FILE_LIMIT + 1)
    except FileNotFoundError as exc:
        raise WalletError(f"there is no wallet {path}") from exc
    except OSError as exc:
        raise WalletError(f"wallet {path} cannot be read: {exc.strerror}") from exc
    return KeypairSigner(_parse_wallet(raw, path))


def _parse_wallet(raw: bytes, path: Path) -> bytes:
    refusal = WalletError(f"wallet {path} is not a JSON array of 64 bytes")
    if len(raw) > _FILE_LIMIT:
        raise refusal
    try:
        numbers = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise refusal from exc
    if not isinstance(numbers, list) or len(numbers) != _KEYPAIR_SIZE:
        raise refusal
    if not all(type(n) is int and 0 <= n <= _BYTE_MAX for n in numbers):
        raise refusal
    return bytes(numbers)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def verify_signature(address: Address, message: bytes, signature: bytes) -> None:
    """Checks an Ed25519 signature by the strict rules that the cluster uses.

    Raises:
        SignatureInvalid: it is not `address`'s signature over the message.
    """
    if len(signature) != SIGNATURE_SIZE or not Signature.from_bytes(signature).verify(
        Pubkey.from_bytes(address.raw), message
    ):
        raise SignatureInvalid(f"the signature is not {address}'s")
