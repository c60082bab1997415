"""Pins: commits that a pinning service keeps on the IPFS network, with what is behind.

A commit refers to its parents, so one pin holds the whole history of a head.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flair_client.context import Context
from flair_client.errors import (
    PinFailed,
    PinTimeout,
    StoreError,
    UsageError,
    WalletError,
)
from flair_client.ids import CommitId
from flair_client.porcelain.reading import Reading
from flair_client.site_rules import SiteRules
from flair_client.store.ipfs import KuboStore
from flair_client.store.pinning import Pin, PinService, PinState

_TOKEN_LIMIT: Final = 16_384
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Pinned:
    """A commit at a pinning service.

    Attributes:
        service: its URL.
        commit: with everything behind it.
        n_delegates: nodes of the service that our own was told to connect to.
    """

    service: str
    commit: CommitId
    pin: Pin
    n_delegates: int


@dataclass(frozen=True, slots=True)
class PinList:
    """What a service keeps, or was asked to; the newest first."""

    service: str
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True)
class PinWatched:
    """A pin as it is now."""

    service: str
    pin: Pin


@dataclass(frozen=True, slots=True)
class PinRemoved:
    """A pin that was given up."""

    service: str
    request_id: str


def read_token(path: Path, *, workspace: Path | None) -> str:
    """Reads the token of a service.

    Args:
        path: a file that nobody else can read.
        workspace: the folder of a clone, where no token may lie.

    Raises:
        WalletError: it is not there, readable by others, in the workspace, or empty.
    """
    whole = path.expanduser().absolute()
    if workspace is not None and whole.resolve().is_relative_to(workspace.resolve()):
        raise WalletError(f"token {path} lies in the workspace: keep it elsewhere")
    try:
        # Not blocking: a pipe in the token's place is refused, not waited for.
        opened = os.open(whole, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mode & _OTHERS:
                raise WalletError(f"token {path} is not a file that only you can read")
            raw = file.read(_TOKEN_LIMIT)
    except OSError as exc:
        raise WalletError(f"token {path} cannot be read: {exc.strerror}") from exc
    return check_token(raw.decode("ascii", "replace"), str(path))


def check_token(text: str, where: str) -> str:
    """Gives a token back without the space around it.

    Raises:
        WalletError: it cannot stand in a header. It is not shown.
    """
    token = text.strip()
    if not token or not all("!" <= one <= "~" for one in token):
        raise WalletError(f"{where} holds no token")
    return token


def pin_add(
    ctx: Context,
    reading: Reading,
    service: PinService,
    ref: str | None,
    *,
    name: str | None = None,
    replace: str | None = None,
) -> Pinned:
    """Asks a service to keep a commit with its whole history.

    Where the store is an IPFS node, the service hears at which addresses it is, and the
    node is told to connect to those that will fetch.

    Args:
        ctx: its store.
        reading: where the commit is looked up.
        service: to ask.
        ref: a commit; without one that of HEAD.
        name: of the pin; without one the commit's first digits.
        replace: the pin that this one takes the place of.

    Raises:
        RefUnknown: no such commit.
        PinRefused, StoreUnavailable: as the service answers.
        SiteRefused: this site does not talk to the service.
    """
    ctx.site.check_url(service.url)
    commit = reading.resolve(ref)
    node = _own_node(ctx)
    origins: tuple[str, ...] = ()
    if node is not None:
        with suppress(StoreError):
            origins = node.addresses()
    called = name or f"flair {commit.short}"
    if replace is None:
        pin = service.add(commit.cid, called, origins)
    else:
        pin = service.replace(replace, commit.cid, called, origins)
    n_delegates = _connect(ctx, node, pin)
    return Pinned(service.url, commit, pin, n_delegates)


def pin_follow(
    service: PinService, pin: Pin, *, most_s: float, heard: Callable[[Pin], None]
) -> Pin:
    """Waits until a service has everything that it was asked to keep.

    Raises:
        PinFailed: it could not get it.
        PinTimeout: not in this time.
    """
    found = service.follow(pin, most_s=most_s, heard=heard)
    if found.state is PinState.FAILED:
        reason = f": {found.details}" if found.details else ""
        raise PinFailed(f"{service.url} could not get {found.cid}{reason}")
    if not found.state.is_final:
        raise PinTimeout(found.request_id, found.state.value)
    return found


def pin_list(site: SiteRules, service: PinService) -> PinList:
    """Lists the pins of an account, whoever asked for them.

    Raises:
        SiteRefused: this site does not talk to the service.
    """
    site.check_url(service.url)
    return PinList(service.url, tuple(service.pins()))


def pin_remove(site: SiteRules, service: PinService, request_id: str) -> PinRemoved:
    """Gives a pin up: the service forgets its blocks where no other pin holds them.

    Raises:
        SiteRefused: this site does not talk to the service.
    """
    site.check_url(service.url)
    service.remove(request_id)
    return PinRemoved(service.url, request_id)


def check_service(url: str | None) -> str:
    """Gives the URL of the service in use.

    Raises:
        UsageError: none is named.
    """
    if url is None:
        raise UsageError("no pinning service is named: --service, or setting pin.url")
    return url


def _own_node(ctx: Context) -> KuboStore | None:
    main = getattr(ctx.remote, "main", ctx.remote)
    return main if isinstance(main, KuboStore) else None


def _connect(ctx: Context, node: KuboStore | None, pin: Pin) -> int:
    """Tells our node whom to meet; where the site names its hosts, nobody."""
    if node is None or pin.state is PinState.PINNED or ctx.site.hosts is not None:
        return 0
    n_connected = 0
    for address in pin.delegates:
        with suppress(StoreError):
            node.connect(address)
            n_connected += 1
    return n_connected
