"""What a wallet signs to send blocks to a served store: a text that it can show.

    flair upload v1
    host: store.example
    repo: 5Gk1…pQ7r
    wallet: 9xQe…VkjF
    car: 64 hexadecimal digits
    size: 4194304
    nonce: 32 hexadecimal digits
    expires: 1767225600

The same for everybody who writes it: a reader writes it again and compares.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from flair_client.errors import IdentifierInvalid, ObjectInvalid
from flair_client.ids import Address, Digest

MAX_TEXT_SIZE: Final = 1024
NONCE_SIZE: Final = 16
# A signature that leaks is worth nothing an hour later.
MAX_VALID_S: Final = 3600
_TITLE: Final = "flair upload v1"
_FIELDS: Final = ("host", "repo", "wallet", "car", "size", "nonce", "expires")
_HOST: Final = re.compile(r"[a-z0-9._:\[\]-]{1,255}")
_NONCE: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class UploadText:
    """One CAR that may be sent to one server once.

    Attributes:
        host: the server's `HOST[:PORT]`, in small letters.
        repo: account of the repository by whose roles it is taken.
        wallet: whose role counts; the signer, or who delegated to it.
        car: of the file's bytes.
        size: bytes of the file.
        nonce: random; the server takes it once.
        expires_at: seconds since 1970.
    """

    host: str
    repo: Address
    wallet: Address
    car: Digest
    size: int
    nonce: str
    expires_at: int

    @property
    def message(self) -> bytes:
        """The bytes that are signed."""
        values = (self.host, self.repo, self.wallet, self.car)
        more = (self.size, self.nonce, self.expires_at)
        pairs = zip(_FIELDS, (*values, *more), strict=True)
        lines = [_TITLE, *(f"{name}: {value}" for name, value in pairs)]
        return "\n".join(lines).encode("ascii")

    @classmethod
    def parse(cls, message: bytes) -> Self:
        """Reads a text; only what `message` gives is one.

        Raises:
            ObjectInvalid: it is anything else; names the line.
        """
        try:
            lines = message.decode("ascii").split("\n")
        except UnicodeDecodeError as exc:
            raise ObjectInvalid("upload", "not ASCII") from exc
        if len(message) > MAX_TEXT_SIZE or lines[0] != _TITLE:
            raise ObjectInvalid("upload", f"does not begin with {_TITLE!r}")
        pairs = [line.partition(": ")[::2] for line in lines[1:]]
        if [name for name, _ in pairs] != list(_FIELDS):
            raise ObjectInvalid("upload", f"has other lines than {', '.join(_FIELDS)}")
        found = dict(pairs)
        for name, form in (
            ("host", _HOST),
            ("size", _NUMBER),
            ("nonce", _NONCE),
            ("expires", _NUMBER),
        ):
            if form.fullmatch(found[name]) is None:
                raise ObjectInvalid(f"upload.{name}", "is malformed")
        try:
            text = cls(
                found["host"],
                Address.parse(found["repo"]),
                Address.parse(found["wallet"]),
                Digest.parse(found["car"]),
                int(found["size"]),
                found["nonce"],
                int(found["expires"]),
            )
        except IdentifierInvalid as exc:
            raise ObjectInvalid("upload", str(exc)) from exc
        if text.message != message:
            raise ObjectInvalid("upload", "is not written as it must be")
        return text
