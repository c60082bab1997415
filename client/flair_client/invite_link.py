"""Links that invite somebody into a repository. Text only.

`flair://NETWORK/CREATOR/NAME#invite=SEED[&sponsor=URL]`. The seed is the secret of the
invite's key: whoever has the link may join. It never goes on chain, and no message
shows it.
"""

from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

import base58

from flair_client.errors import IdentifierInvalid
from flair_client.repo_address import RepoAddress

SEED_SIZE: Final = 32
_KIND: Final = "invitation link"
_MAX_LENGTH: Final = 1024
_FORM: Final = "flair://NETWORK/CREATOR/NAME#invite=…"
# What a URL keeps as it is within the link.
_SAFE: Final = ":/[]"


@dataclass(frozen=True, slots=True)
class InviteLink:
    """An invitation.

    Attributes:
        repo: where to.
        seed: 32 secret bytes, of which the invite's key pair is made.
        sponsor_url: who pays for those who join with it; None where nobody does.
    """

    repo: RepoAddress
    seed: bytes = field(repr=False)
    sponsor_url: str | None = None

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_SIZE:
            raise _invalid(str(self.repo), "its secret is not 32 bytes")
        if self.sponsor_url is not None:
            check_sponsor_url(self.sponsor_url)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a link; only what `str` writes is one.

        Raises:
            IdentifierInvalid: the text is anything else. The secret is not shown.
        """
        address, hash_sign, fragment = text.strip().partition("#")
        if len(text) > _MAX_LENGTH:
            raise _invalid(address, "too long")
        if not hash_sign:
            raise _invalid(address, f"not of the form {_FORM}")
        repo = RepoAddress.parse(address)
        parts = [part.partition("=")[::2] for part in fragment.split("&")]
        names = [name for name, _ in parts]
        if names not in (["invite"], ["invite", "sponsor"]):
            raise _invalid(address, f"not of the form {_FORM}[&sponsor=URL]")
        seed = _seed(address, parts[0][1])
        url = unquote(parts[1][1]) if len(parts) > 1 else None
        link = cls(repo, seed, url)
        if str(link) != text.strip():
            raise _invalid(address, "its sponsor is not written as in a link")
        return link

    def __str__(self) -> str:
        secret = base58.b58encode(self.seed).decode("ascii")
        sponsor = ""
        if self.sponsor_url is not None:
            sponsor = f"&sponsor={quote(self.sponsor_url, safe=_SAFE)}"
        return f"{self.repo}#invite={secret}{sponsor}"


def check_sponsor_url(url: str) -> str:
    """Gives the URL of a sponsor back.

    Raises:
        IdentifierInvalid: it is not http or https, or has more than host and path.
    """
    shown = url[:80]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise IdentifierInvalid("sponsor URL", shown, str(exc)) from exc
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise IdentifierInvalid("sponsor URL", shown, "not http://HOST or https://HOST")
    if "@" in parts.netloc or "?" in url or "#" in url:
        # Whoever gets the link would get the password or the token as well.
        raise IdentifierInvalid(
            "sponsor URL", f"{parts.scheme}://{parts.hostname}", "more than host, path"
        )
    if not url.isascii() or not url.isprintable() or " " in url:
        raise IdentifierInvalid("sponsor URL", shown, "not plain ASCII")
    return url


def is_invite_link(text: str) -> bool:
    """Whether a text is meant as a link and not as an address."""
    return "#" in text


def _seed(address: str, text: str) -> bytes:
    if len(text) > 2 * SEED_SIZE:
        raise _invalid(address, "its secret is too long")
    try:
        seed = base58.b58decode(text)
    except ValueError as exc:
        raise _invalid(address, "its secret is not base58") from exc
    if len(seed) != SEED_SIZE:
        raise _invalid(address, "its secret is not 32 bytes; was the link cut off?")
    return seed


def _invalid(address: str, reason: str) -> IdentifierInvalid:
    return IdentifierInvalid(_KIND, address[:160], reason)
