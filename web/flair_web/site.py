"""What every page reads from: the mirror, the store, the clock; one per application."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, cast

from flask import current_app

from flair_client.context import wall_clock
from flair_client.settings import NetworkProfile
from flair_client.store.base import Store
from flair_indexer.db import Database
from flair_web.settings import WebSettings

if TYPE_CHECKING:
    from flair_client.chain.client import ChainClient

_EXTENSION = "flair"
_RPC_TIMEOUT_S = 10
_COUNT_S = 10


@dataclass
class Site:
    """What the application was made with.

    Attributes:
        database: of the indexer; only ever read, through `flair_indexer.queries`.
        store: blocks; every read checks the digest.
        now: seconds since 1970.
    """

    settings: WebSettings
    database: Database
    store: Store
    now: Callable[[], int] = field(default=wall_clock)
    _counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def network(self) -> NetworkProfile:
        """The cluster as the client knows one."""
        own = self.settings
        return NetworkProfile(
            own.network, own.rpc_url, own.genesis_hash, own.program_id, own.store_url
        )

    def counted(self, name: str, count: Callable[[], int]) -> int:
        """Gives a number that may be some seconds old: counting reads a whole table."""
        now = self.now()
        found = self._counts.get(name)
        if found is None or not 0 <= now - found[0] < _COUNT_S:
            found = self._counts[name] = (now, count())
        return found[1]

    @cached_property
    def chain(self) -> "ChainClient":
        """The cluster; asked by nothing but what signs and what sends."""
        from flair_client.opening import open_chain

        return open_chain(self.network, timeout_s=_RPC_TIMEOUT_S, hasty=True)


def site() -> Site:
    """Gives what the application in hand was made with."""
    return cast("Site", current_app.extensions[_EXTENSION])


def keep_site(extensions: dict[str, object], made: Site) -> None:
    """Makes it what `site` gives."""
    extensions[_EXTENSION] = made
