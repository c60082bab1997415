"""Addresses of repositories: `flair://NETWORK/CREATOR/NAME[@REF]`. Text only."""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from flair_client.errors import IdentifierInvalid
from flair_client.ids import Address
from flair_client.names import check_name

SCHEME: Final = "flair://"
_KIND: Final = "repository address"
# A branch, or the first digits of a commit id, with `~N` for the Nth parent.
_REF: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(~[0-9]{1,6})?")
_MAX_LENGTH: Final = 512


@dataclass(frozen=True, slots=True)
class RepoAddress:
    """Where a repository is.

    Attributes:
        network: name of a network profile.
        creator: wallet that made it; never changes.
        name: the repository's name.
        ref: branch or commit, where one is meant.
    """

    network: str
    creator: Address
    name: str
    ref: str | None = None

    def __post_init__(self) -> None:
        check_name("network name", self.network)
        check_name("repository name", self.name)
        if self.ref is not None and _REF.fullmatch(self.ref) is None:
            raise IdentifierInvalid("ref", self.ref[:80], "not a branch or commit")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `flair://NETWORK/CREATOR/NAME[@REF]`.

        Raises:
            IdentifierInvalid: the text is anything else.
        """
        if not text.startswith(SCHEME):
            raise IdentifierInvalid(_KIND, text[:80], f"does not begin with {SCHEME}")
        if len(text) > _MAX_LENGTH:
            raise IdentifierInvalid(_KIND, text[:80], "too long")
        parts = text.removeprefix(SCHEME).split("/")
        if len(parts) != 3:
            raise IdentifierInvalid(
                _KIND, text, f"not of the form {SCHEME}NETWORK/CREATOR/NAME[@REF]"
            )
        network, creator, rest = parts
        name, at, ref = rest.partition("@")
        return cls(network, Address.parse(creator), name, ref if at else None)

    def __str__(self) -> str:
        ref = "" if self.ref is None else f"@{self.ref}"
        return f"{SCHEME}{self.network}/{self.creator}/{self.name}{ref}"

    def at(self, ref: str | None) -> "RepoAddress":
        """Gives the address of another branch or commit of the same repository."""
        return replace(self, ref=ref)


def is_repo_address(text: str) -> bool:
    """Whether a text is the whole address of a repository, or CREATOR/NAME."""
    try:
        resolve_repo_address(text, network="any", creator=None)
    except IdentifierInvalid:
        return False
    return True


def resolve_repo_address(
    text: str, *, network: str, creator: Address | None
) -> RepoAddress:
    """Reads a full address, `CREATOR/NAME`, or just `NAME`.

    Args:
        text: what the user wrote.
        network: used where the text names none.
        creator: used where the text names none: the user's own wallet.

    Raises:
        IdentifierInvalid: the text is none of them, or names no creator and there is no
            wallet to take its place.
    """
    if text.startswith(SCHEME):
        return RepoAddress.parse(text)
    owner, slash, name = text.rpartition("/")
    if slash:
        return RepoAddress.parse(f"{SCHEME}{network}/{owner}/{name}")
    if creator is None:
        raise IdentifierInvalid(_KIND, text[:80], "names no creator")
    return RepoAddress.parse(f"{SCHEME}{network}/{creator}/{text}")
