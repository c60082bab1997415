"""What a push did or would do: values alone, shared by the kinds of push."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from flair_client.context import Context
from flair_client.ids import CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.transfer import Outgoing

# Marker that names the commit pushed last.
PUSHED: Final = "pushed"


class PushOutcome(StrEnum):
    """Where the commit stands after a push."""

    PLANNED = "planned"  # a dry run: nothing was sent
    ACCEPTED = "accepted"  # the update is in its round
    HELD = "held"  # it is, and its values stay here until the round is closed
    MERGED = "merged"  # its round is over, and it is part of the merge
    MOVED = "moved"  # the snapshot or merge moved the branch
    REJECTED = "rejected"  # the owner left the update out
    ENDED = "ended"  # its round ended without a merge


@dataclass(frozen=True, slots=True)
class Destination:
    """A host that something goes to.

    Attributes:
        what: `blocks`, `transactions`, or `fees`: transactions for the sponsor to sign.
        host: its URL without user, password, path and query; a folder's whole path.
    """

    what: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A commit that is on chain, or would be.

    Attributes:
        round_index: the update's; None for what moves the branch.
        weight: likewise.
        sent: whether this run sent the transaction; false with a dry run, and where it
            was on chain already.
        n_blocks, n_bytes: what this run put into the shared store.
        blocks: everything that leaves the machine with the commit.
        destinations: where it goes.
        holds_values: whether blocks with the update's values stay here until its round
            is closed.
        held_until: then the deadline of the round, in Unix seconds.
        merge: the merge that holds the update, once there is one.
        ends_round: the round that a snapshot or merge of models ends without a merge.
    """

    commit: CommitId
    kind: CommitKind
    branch: str
    round_index: int | None = None
    weight: int | None = None
    outcome: PushOutcome
    sent: bool = False
    n_blocks: int = 0
    n_bytes: int = 0
    blocks: tuple[Outgoing, ...]
    destinations: tuple[Destination, ...]
    holds_values: bool = False
    held_until: int | None = None
    merge: CommitId | None = None
    ends_round: int | None = None


def destinations(ctx: Context) -> tuple[Destination, ...]:
    """Gives the hosts that a push talks to."""
    return tuple(Destination(what, public_url(url)) for what, url in _urls(ctx))


def whole_destinations(ctx: Context) -> tuple[tuple[str, str], ...]:
    """Gives what goes where, paths and queries too: two tenants may share a host.

    Only a password is left out: it names no place, and may be changed.
    """
    return tuple((what, _without_password(url)) for what, url in _urls(ctx))


def store_digest(ctx: Context) -> str:
    """Names the store in use without telling its URL: the sha-256 of it, in hex."""
    ((_, store), *_) = whole_destinations(ctx)
    return hashlib.sha256(store.encode()).hexdigest()


def _urls(ctx: Context) -> list[tuple[str, str]]:
    urls = [("blocks", ctx.network.store_url), ("transactions", ctx.network.rpc_url)]
    return urls if ctx.sponsor_url is None else [*urls, ("fees", ctx.sponsor_url)]


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}").geturl()


def public_url(url: str) -> str:
    """Gives the part of a URL that may be shown: its path or query can be a secret."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return url
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname or ''}{port}"
