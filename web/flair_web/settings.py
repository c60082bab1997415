"""What the site is told, from `FLAIR_WEB_…` of the environment.

Nothing else of the site looks at the environment but `cli`, by the same names.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.settings import LOCALNET, PROGRAM_ID_TEXT

PREFIX: Final = "FLAIR_WEB_"
_MIN_SECRET: Final = 32
_MAX_SECRET: Final = 4096


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How the site runs.

    Attributes:
        database_url: what `flair indexer` writes.
        store_url: where blocks are read.
        rpc_url: the cluster; only what cannot be read from the database asks it.
        network: name of the cluster, as in `flair://NETWORK/…`.
        genesis_hash: of the cluster; None where it changes with every start.
        program_id: the program's address there.
        origin: how readers reach the site, `https://models.example`; sign-in names it.
        secret: keys of session cookies; a new one with each start where no file has it.
        proxies: proxies in front whose `X-Forwarded-…` are believed; 0 believes none.
        rate: requests of one reader, as flask-limiter writes it; empty for no limit.
        behind_s: an indexer that was not seen for so long is called behind.
        keep_s: a page that is the same for everybody is given again for so long.
    """

    database_url: str
    store_url: str
    rpc_url: str = "http://127.0.0.1:8899"
    network: str = LOCALNET
    genesis_hash: str | None = None
    program_id: Address = field(default_factory=lambda: Address.parse(PROGRAM_ID_TEXT))
    origin: str = "http://127.0.0.1:8080"
    secret: bytes = field(
        default_factory=lambda: secrets.token_bytes(_MIN_SECRET), repr=False
    )
    proxies: int = 0
    rate: str = "600 per minute"
    behind_s: int = 180
    keep_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuses an origin that is none.

        Raises:
            UsageError: it is no `http(s)://HOST[:PORT]`.
        """
        parts = urlsplit(self.origin)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{self.origin!r} is no origin: http(s)://HOST[:PORT]")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise UsageError(f"{self.origin!r} is no origin: it ends with the host")
        if self.origin.endswith("/"):
            object.__setattr__(self, "origin", self.origin.rstrip("/"))

    @property
    def is_secure(self) -> bool:
        """Whether readers come by TLS; cookies then never leave it."""
        return self.origin.startswith("https://")


def read_secret(path: Path) -> bytes:
    """Reads the secret that session cookies are signed with.

    Raises:
        UsageError: the file cannot be read, is open to others, or holds too little.
    """
    try:
        is_open = path.stat().st_mode & 0o077
        with path.open("rb") as file:
            found = file.read(_MAX_SECRET).strip()
    except OSError as exc:
        raise UsageError(f"the secret cannot be read: {exc.strerror}: {path}") from exc
    if is_open:
        raise UsageError(f"others may read the secret: chmod 600 {path}")
    if len(found) < _MIN_SECRET:
        raise UsageError(f"the secret has fewer than {_MIN_SECRET} bytes: {path}")
    return found


def settings_from(environ: Mapping[str, str]) -> WebSettings:
    """Gives the settings that the environment has; for servers other than ours.

    Raises:
        UsageError: one is missing, or is not what it should be.
    """
    given = {
        name.removeprefix(PREFIX): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and value
    }
    missing = {"DATABASE", "STORE"} - given.keys()
    if missing:
        raise UsageError(f"{PREFIX}{min(missing)} is not set")
    known = {
        "rpc_url": given.get("RPC"),
        "network": given.get("NETWORK"),
        "genesis_hash": given.get("GENESIS"),
        "origin": given.get("ORIGIN"),
        "rate": given.get("RATE"),
    }
    values: dict[str, object] = {k: v for k, v in known.items() if v is not None}
    if "PROXIES" in given:
        if not given["PROXIES"].isdecimal():
            raise UsageError(f"{PREFIX}PROXIES is no number")
        values["proxies"] = int(given["PROXIES"])
    if "PROGRAM" in given:
        values["program_id"] = Address.parse(given["PROGRAM"])
    if "SECRET_FILE" in given:
        values["secret"] = read_secret(Path(given["SECRET_FILE"]))
    return WebSettings(given["DATABASE"], given["STORE"], **values)  # type: ignore[arg-type]
