"""Fetches a repository's events, newest first, from whoever still has them.

The account's `history_root` names the newest event by its digest, each event names the
one before it. So it does not matter where an event comes from: the store, the lists
that commits carry, or an RPC's transaction history.
"""

from collections.abc import Iterator
from typing import Final, Protocol

from flair_client.chain.accounts import BranchAccount, RepoAccount
from flair_client.chain.events import EVENT_PREFIX, decode_event, event_root
from flair_client.chain.pdas import find_repo_pda
from flair_client.encoding import decode_event_list
from flair_client.errors import (
    AccountMissing,
    BlockMissing,
    ChainError,
    DigestMismatch,
    FlairError,
    ObjectError,
    StoreError,
    VerificationError,
)
from flair_client.history.gaps import walk_over_gaps
from flair_client.history.records import ZERO_DIGEST
from flair_client.ids import CODEC_RAW, Address, Cid, CommitId, Digest
from flair_client.limits import MAX_EVENT_SIZE
from flair_client.objects import Commit, EventList
from flair_client.store.base import Store

_MAX_BLOCK_SIZE: Final = len(EVENT_PREFIX) + MAX_EVENT_SIZE
# A list is one block; what does not fit comes with the next commit.
MAX_LISTED_EVENTS: Final = 2000
MAX_LISTED_BYTES: Final = 900_000


class EventChain(Protocol):
    """What is asked of the chain to find events."""

    @property
    def program_id(self) -> Address:
        """The program."""

    def repo(self, address: Address) -> RepoAccount:
        """The repository's account."""

    def branches(self, repo: Address) -> list[BranchAccount]:
        """The repository's branches."""

    def found_events(self, repo: Address, seq: int) -> list[bytes]:
        """What transaction history has of the events after `seq`, with holes or not."""


def collect_events(
    chain: EventChain, store: Store, account: RepoAccount, from_seq: int = 1
) -> list[bytes]:
    """Gives the events from number `from_seq` to the one that the account names.

    Args:
        chain: asked for transactions only where the store lacks events.
        store: where event blocks and commits lie.
        account: the repository, as read from the chain.
        from_seq: first event wanted, from 1.

    Raises:
        VerificationError: `event N` cannot be found anywhere, or does not follow.
    """
    repo, _ = find_repo_pda(account.creator, account.name, chain.program_id)
    fallback = _Fallback(chain, store, repo, max(from_seq, 1))
    found: list[bytes] = []
    root = account.history_root
    for seq in range(account.event_seq, max(from_seq, 1) - 1, -1):
        event_bytes = _fetch(store, root, seq, fallback)
        root = _previous_root(event_bytes, repo, seq)
        found.append(event_bytes)
    if from_seq <= 1 and root != ZERO_DIGEST:
        raise VerificationError("event 1", "follows an event that is not counted")
    found.reverse()
    return found


def events_for_commit(
    chain: EventChain,
    store: Store,
    repo: Address,
    parent: Commit | None,
    through_seq: int | None = None,
) -> EventList:
    """Gives the events that a new commit on top of `parent` has to carry.

    They begin where the parent's end, and end at `through_seq` or with the newest one.
    Where that is too many for one block the rest is left to the next commit.

    Raises:
        VerificationError: events are missing, or the parent's list is.
    """
    first_seq = 1 if parent is None else last_listed_seq(store, parent) + 1
    events = collect_events(chain, store, chain.repo(repo), first_seq)
    if through_seq is not None:
        events = events[: max(through_seq - first_seq + 1, 0)]
    return EventList(v=1, first_seq=first_seq, events=tuple(cap_events(events)))


def cap_events(events: list[bytes]) -> list[bytes]:
    """As many of the first events as one list holds."""
    total = 0
    for count, event_bytes in enumerate(events[:MAX_LISTED_EVENTS]):
        total += len(event_bytes) + 3
        if total > MAX_LISTED_BYTES:
            return events[:count]
    return events[:MAX_LISTED_EVENTS]


def last_listed_seq(store: Store, commit: Commit) -> int:
    """Number of the last event that the commit's list covers.

    Raises:
        VerificationError: the commit carries no list, or the list is missing.
    """
    if commit.events is None:
        raise VerificationError("commit", "carries no events")
    listed = read_event_list(store, commit.events)
    return listed.first_seq + len(listed.events) - 1


def read_event_list(store: Store, cid: Cid) -> EventList:
    """Reads a list of events that a commit names."""
    return decode_event_list(store.get(cid))


def _fetch(store: Store, root: Digest, seq: int, fallback: "_Fallback") -> bytes:
    try:
        block = store.get(Cid(CODEC_RAW, root.raw), max_size=_MAX_BLOCK_SIZE)
    except (BlockMissing, DigestMismatch, ObjectError) as exc:
        event_bytes = fallback.find(root, seq)
        if event_bytes is None:
            raise VerificationError(f"event {seq}", f"cannot be found: {exc}") from exc
        return event_bytes
    event_bytes = block.removeprefix(EVENT_PREFIX)
    if event_root(event_bytes) != root:
        raise VerificationError(f"event {seq}", "is not what the history root names")
    return event_bytes


def _previous_root(event_bytes: bytes, repo: Address, seq: int) -> Digest:
    try:
        event = decode_event(event_bytes)
    except FlairError as exc:
        raise VerificationError(f"event {seq}", str(exc)) from exc
    if event.repo != repo:
        raise VerificationError(f"event {seq}", f"belongs to {event.repo}")
    if event.repo_seq != seq:
        raise VerificationError(f"event {seq}", f"is numbered {event.repo_seq}")
    return event.prev_root


class _Fallback:
    """Events by root from the places that are asked only when the store lacks one."""

    def __init__(
        self, chain: EventChain, store: Store, repo: Address, from_seq: int
    ) -> None:
        self._chain = chain
        self._store = store
        self._repo = repo
        self._from_seq = from_seq
        self._by_root: dict[Digest, bytes] = {}
        self._commits_read = False
        self._rpc_from: int | None = None

    def find(self, root: Digest, seq: int) -> bytes | None:
        """Gives the event of this root, or nothing."""
        if root not in self._by_root and not self._commits_read:
            self._commits_read = True
            self._keep(self._listed_events())
        if root not in self._by_root and (
            self._rpc_from is None or seq < self._rpc_from
        ):
            self._rpc_from = self._from_seq
            self._keep(self._sent_events())
        return self._by_root.get(root)

    def _keep(self, events: Iterator[bytes]) -> None:
        self._by_root.update((event_root(event), event) for event in events)

    def _sent_events(self) -> Iterator[bytes]:
        try:
            yield from self._chain.found_events(self._repo, self._from_seq - 1)
        except (ChainError, VerificationError):
            # Pruned history is no error yet: the caller names the gap.
            return

    def _listed_events(self) -> Iterator[bytes]:
        seen: set[CommitId] = set()
        for head in self._heads():
            try:
                for commit_id, found in walk_over_gaps(self._store, head):
                    if commit_id in seen:
                        break
                    seen.add(commit_id)
                    if isinstance(found, Commit):
                        yield from self._list_of(found)
            except StoreError:
                # Whoever looks for the event itself is told.
                return

    def _list_of(self, commit: Commit) -> tuple[bytes, ...]:
        if commit.events is None:
            return ()
        try:
            return read_event_list(self._store, commit.events).events
        except FlairError:
            return ()

    def _heads(self) -> list[CommitId]:
        try:
            branches = self._chain.branches(self._repo)
        except (ChainError, AccountMissing):
            return []
        return [b.head_commit for b in branches if any(b.head_commit.raw)]
