"""Store servers: blocks to anybody, uploads from those who have a role on chain."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flair_client.chain.pdas import find_repo_pda
from flair_client.context import Context
from flair_client.errors import UsageError
from flair_client.repo_address import RepoAddress
from flair_client.store.base import Store, open_store
from flair_client.store_server.ledger import Taken, UploadLedger
from flair_client.store_server.rights import Standing

if TYPE_CHECKING:
    from flair_client.store_server.app import Service
    from flair_client.store_server.uploads import UploadDesk

DEFAULT_PORT: Final = 8893
FOLDER: Final = "store-server"
_GIB: Final = 1 << 30
# Bytes of a day for each wallet; nobody without a role unless it is asked for.
DEFAULT_QUOTAS: Final[Mapping[Standing, int]] = {
    Standing.AUTHORITY: 100 * _GIB,
    Standing.ADMINISTER: 100 * _GIB,
    Standing.MERGE: 100 * _GIB,
    Standing.CONTRIBUTE: 10 * _GIB,
    Standing.OPEN: 0,
}


@dataclass(frozen=True, slots=True)
class StoreServing:
    """A store server that answers.

    Attributes:
        url: where it listens.
        public_urls: by which clients name it.
        blocks: URL of the store that it keeps blocks in.
        repos: that it is run for; empty where it is for every repository.
    """

    url: str
    public_urls: tuple[str, ...]
    blocks: str
    repos: tuple[RepoAddress, ...]


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What a store server has taken today, in UTC; who sent most first."""

    network: str
    taken: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a store server is run for.

    Attributes:
        repos: on the context's network; none is every repository of the program.
        public_urls: by which clients name it.
        quotas: bytes of a day, by standing; those that are not named are the default.
        blocks_url: the store to keep blocks in; None is the network's own.
    """

    repos: tuple[RepoAddress, ...]
    public_urls: tuple[str, ...]
    quotas: Mapping[Standing, int] = field(default_factory=dict)
    blocks_url: str | None = None


def open_service(ctx: Context, terms: Terms) -> "Service":
    """Gets ready to give and take blocks.

    Raises:
        UsageError: the store to keep them in is a server itself, a URL is none, or
            there is no folder for the ledger.
        StoreUnavailable: the store cannot be opened.
    """
    from flair_client.store_server.app import Service

    desk = _desk(ctx, terms)
    blocks = open_store(blocks_url(ctx, terms))
    about = {
        "store": "flair",
        "program": str(ctx.program_id),
        "repos": None if desk.repos is None else sorted(map(str, desk.repos)),
        "quotas": {one.value: size for one, size in desk.quotas.items()},
    }
    return Service(desk, blocks, about)


def blocks_url(ctx: Context, terms: Terms) -> str:
    """Gives the URL of the store that blocks are kept in.

    Raises:
        UsageError: it is a store server itself.
    """
    url = terms.blocks_url or ctx.network.store_url
    if urlsplit(url).scheme in ("http", "https"):
        raise UsageError(f"a store server keeps its blocks in a folder or Kubo: {url}")
    return url


def _desk(ctx: Context, terms: Terms) -> "UploadDesk":
    from flair_client.store_server.uploads import UploadDesk

    # One that is not there yet may be made later: until then nobody has a role in it.
    repos = {
        find_repo_pda(one.creator, one.name, ctx.program_id)[0] for one in terms.repos
    }
    opened: Callable[[], Store] = partial(open_store, blocks_url(ctx, terms))
    return UploadDesk(
        chain=ctx.chain,
        open_store=opened,
        folder=_folder(ctx),
        hosts=frozenset(_hosts(terms.public_urls)),
        repos=frozenset(repos) or None,
        quotas={**DEFAULT_QUOTAS, **terms.quotas},
        now=ctx.now,
    )


def _hosts(urls: Iterable[str]) -> list[str]:
    hosts = []
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"{url!r} is not the URL of a store server: https://HOST")
        hosts.append(parts.netloc.lower())
    return hosts


def store_status(ctx: Context) -> StoreStatus:
    """Tells what a server of this network, run from here, has taken today."""
    taken = UploadLedger(_folder(ctx) / "ledger.db").taken(ctx.now())
    return StoreStatus(ctx.network.name, taken)


def _folder(ctx: Context) -> Path:
    if ctx.home is None:
        raise UsageError("a store server needs a folder for its ledger")
    return Path(ctx.home) / FOLDER / ctx.network.name
