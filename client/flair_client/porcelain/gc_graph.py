"""What lies in a folder of blocks and what refers to what; part of `gc`, no verb.

Links are found in any object, also of a kind that this version does not know: whatever
looks like one counts.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import libipld

from flair_client.chain.events import EVENT_PREFIX
from flair_client.encoding import decode_commit
from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    IdentifierInvalid,
    ObjectError,
    WorkspaceDamaged,
)
from flair_client.ids import (
    CODEC_DAG_CBOR,
    CODEC_RAW,
    DIGEST_SIZE,
    Address,
    Cid,
    CommitId,
)
from flair_client.limits import MAX_EVENT_SIZE
from flair_client.objects import Commit
from flair_client.progress import Progress
from flair_client.store.disk import DiskStore
from flair_client.store.sweep import StoredBlock, list_blocks

_LINK_SIZE: Final = 36
_MAX_EVENT_BLOCK: Final = len(EVENT_PREFIX) + MAX_EVENT_SIZE


@dataclass(frozen=True, slots=True)
class Links:
    """What an object refers to.

    Attributes:
        cids: all links in it.
        may_lack: those of them that an honest store need not have: the values of an
            update, which are held back until its round is closed.
    """

    cids: frozenset[Cid]
    may_lack: frozenset[Cid] = frozenset()


@dataclass(slots=True)
class Contents:
    """A folder's blocks, as they were when it was looked through.

    Attributes:
        blocks: all of them.
        links: of the objects among them.
        commits: whose repository each commit is of, and what people call it.
        events: the bytes of the program's events among the raw blocks.
    """

    blocks: dict[Cid, StoredBlock] = field(default_factory=dict)
    links: dict[Cid, Links] = field(default_factory=dict)
    commits: dict[Cid, tuple[Address, str]] = field(default_factory=dict)
    events: list[bytes] = field(default_factory=list)

    def with_digests(self, digests: Iterable[bytes]) -> set[Cid]:
        """The blocks that have one of these digests, whatever their codec."""
        return {
            cid
            for digest in digests
            for cid in (Cid(CODEC_DAG_CBOR, digest), Cid(CODEC_RAW, digest))
            if cid in self.blocks
        }

    def named_in(self, content: bytes) -> set[Cid]:
        """The blocks whose digest stands somewhere in some bytes."""
        last = len(content) - DIGEST_SIZE + 1
        return self.with_digests(
            content[at : at + DIGEST_SIZE] for at in range(max(last, 0))
        )


def look_through(store: DiskStore, progress: Progress) -> Contents:
    """Lists a folder's blocks and reads its objects and events.

    Raises:
        StoreUnavailable: the folder cannot be read.
    """
    found = Contents()
    blocks = list(list_blocks(store))
    with progress.task("look", len(blocks), "blocks") as task:
        for block in blocks:
            _look(store, block, found)
            task.advance(1)
    return found


def look_again(store: DiskStore, contents: Contents) -> set[Cid]:
    """Takes in what came meanwhile; gives it, and what somebody relied on since."""
    changed = set()
    for block in list_blocks(store):
        known = contents.blocks.get(block.cid)
        if known is None:
            _look(store, block, contents)
        if known is None or known.used_at != block.used_at:
            changed.add(block.cid)
    return changed


def _look(store: DiskStore, block: StoredBlock, found: Contents) -> None:
    is_object = block.cid.codec == CODEC_DAG_CBOR
    if is_object or len(EVENT_PREFIX) < block.size <= _MAX_EVENT_BLOCK:
        try:
            content = store.get(block.cid)
        except (BlockMissing, DigestMismatch, ObjectError):
            # Gone meanwhile, or put aside as corrupt: then it is missing.
            return
        if is_object:
            found.links[block.cid] = links_in(content)
            commit = _commit(content)
            if commit is not None:
                found.commits[block.cid] = (commit.repo, _name(block.cid, commit))
        elif content.startswith(EVENT_PREFIX):
            found.events.append(content)
    found.blocks[block.cid] = block


def links_in(block: bytes) -> Links:
    """Every link in an object; none in what is no object."""
    try:
        plain = libipld.decode_dag_cbor(block)
    except ValueError:
        return Links(frozenset())
    delta = plain.get("delta") if isinstance(plain, dict) else None
    return Links(frozenset(_links(plain)), frozenset(_links(delta)))


def _links(plain: Any) -> Iterator[Cid]:
    waiting = [plain]
    while waiting:
        value = waiting.pop()
        if isinstance(value, bytes) and len(value) == _LINK_SIZE:
            try:
                yield Cid.from_bytes(value)
            except IdentifierInvalid:
                continue
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _commit(block: bytes) -> Commit | None:
    try:
        return decode_commit(block)
    except ObjectError:
        return None


def _name(cid: Cid, commit: Commit) -> str:
    subject = commit.message.split("\n", 1)[0]
    return f"{commit.kind.value} {CommitId(cid.digest).short}: {subject}"


@dataclass(slots=True)
class Keeper:
    """Finds what must stay.

    Attributes:
        contents: of the folder; what must stay is looked up in it.
        elsewhere: gives the block of an object that is not in the folder, or None.
        kept: found so far.
        holes: objects that something refers to and nobody has.
    """

    contents: Contents
    elsewhere: Callable[[Cid], bytes | None]
    kept: set[Cid] = field(default_factory=set)
    holes: dict[Cid, str] = field(default_factory=dict)

    def keep(self, roots: Iterable[Cid], what: str) -> None:
        """Takes blocks and everything behind them in.

        Args:
            roots: where to begin.
            what: names them, for people.
        """
        waiting = [(cid, what) for cid in roots]
        while waiting:
            cid, needed_by = waiting.pop()
            if cid in self.kept:
                continue
            self.kept.add(cid)
            links = self._links_of(cid)
            if links is None:
                self.holes.setdefault(cid, needed_by)
                continue
            name = self.contents.commits.get(cid, (None, ""))[1] or needed_by
            for link in links.cids - self.kept:
                if link in links.may_lack and not self._has(link):
                    continue
                waiting.append((link, name))

    def check(self) -> None:
        """Refuses to go on where something is not known.

        Raises:
            WorkspaceDamaged: names the first object that nobody has.
        """
        for cid, needed_by in self.holes.items():
            raise WorkspaceDamaged(
                f"nothing was removed: block {cid} ({needed_by}) is missing, so that "
                "what it needs is not known"
            )

    def _links_of(self, cid: Cid) -> Links | None:
        if cid.codec != CODEC_DAG_CBOR:
            return Links(frozenset())
        if cid in self.contents.links:
            return self.contents.links[cid]
        block = self.elsewhere(cid)
        return None if block is None else links_in(block)

    def _has(self, cid: Cid) -> bool:
        return cid in self.contents.blocks or self.elsewhere(cid) is not None


def removal_order(cids: Collection[Cid], links: Mapping[Cid, Links]) -> list[Cid]:
    """What refers to others before these: a kill leaves nothing without its parts."""
    n_referrers = dict.fromkeys(cids, 0)
    for cid in cids:
        for link in links.get(cid, Links(frozenset())).cids:
            if link in n_referrers:
                n_referrers[link] += 1
    ready = sorted((cid for cid, count in n_referrers.items() if not count))
    order = []
    while ready:
        cid = ready.pop()
        order.append(cid)
        for link in links.get(cid, Links(frozenset())).cids:
            if link in n_referrers:
                n_referrers[link] -= 1
                if not n_referrers[link]:
                    ready.append(link)
    return order
