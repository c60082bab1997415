"""The text that a wallet signs to sign in, and the check of what it signed.

The text is that of Sign In With Solana, after EIP-4361. Every field is given by the
site, so only one text is right, and it is compared byte by byte. Nothing here keeps
anything: that a nonce is used once is decided in `sessions`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flair_client.errors import FlairError
from flair_client.ids import Address

LIFETIME_S: Final = 300
STATEMENT: Final = (
    "Sign in to Flair. This proves your address; it allows no transaction."
)
_CLOCK_SLACK_S: Final = 30
_MAX_TEXT: Final = 2_000


class SignInRefused(FlairError):
    """A sign-in is not what the site asked for; tells what is wrong."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a sign-in has to say.

    Attributes:
        domain: host, and port where it has one, of the site.
        uri: the site's origin.
        chain: as wallets name networks, `solana:mainnet`.
        nonce: letters and digits.
        issued_at: seconds since 1970.
    """

    domain: str
    uri: str
    chain: str
    nonce: str
    issued_at: int

    @property
    def expires_at(self) -> int:
        """Until when it may be answered, in seconds since 1970."""
        return self.issued_at + LIFETIME_S

    def text(self, address: Address) -> str:
        """Gives the text that this address signs."""
        return (
            f"{self.domain} wants you to sign in with your Solana account:\n"
            f"{address}\n\n{STATEMENT}\n\n"
            f"URI: {self.uri}\nVersion: 1\nChain ID: {self.chain}\n"
            f"Nonce: {self.nonce}\nIssued At: {_iso(self.issued_at)}\n"
            f"Expiration Time: {_iso(self.expires_at)}"
        )

    def fields(self) -> dict[str, str]:
        """Gives what `solana:signIn` takes, by its names."""
        return {
            "domain": self.domain,
            "statement": STATEMENT,
            "uri": self.uri,
            "version": "1",
            "chainId": self.chain,
            "nonce": self.nonce,
            "issuedAt": _iso(self.issued_at),
            "expirationTime": _iso(self.expires_at),
        }


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def verify_sign_in(
    challenge: Challenge,
    address: Address,
    message: bytes,
    signature: bytes,
    *,
    now: int,
) -> None:
    """Checks what a wallet signed.

    Args:
        challenge: that this session was given, and no other answer has used.
        address: that it says it is.
        message: the bytes that it signed.
        signature: 64 bytes of Ed25519.
        now: seconds since 1970.

    Raises:
        SignInRefused: too late, another text (domain, nonce, time, chain, address), or
            not signed by the address.
    """
    if not challenge.issued_at - _CLOCK_SLACK_S <= now < challenge.expires_at:
        raise SignInRefused("the sign-in has expired")
    if len(message) > _MAX_TEXT or message != challenge.text(address).encode():
        raise SignInRefused("the signed text is not the one that was asked for")
    try:
        Ed25519PublicKey.from_public_bytes(address.raw).verify(signature, message)
    except (InvalidSignature, ValueError) as exc:
        raise SignInRefused(f"the text is not signed by {address}") from exc
