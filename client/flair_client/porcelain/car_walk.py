"""In which order a CAR holds a commit with its history; used by `car`, no verb itself.

The commit comes first, and everything else after an object that refers to it: what a
reader did not hear of yet has no place in the file. Raw blocks come right after the
object that lists them, so that few are waited for at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from flair_client.chain.signer import verify_signature
from flair_client.encoding import decode_commit, verify_commit_signature
from flair_client.errors import CarCut, CarInvalid, ObjectError
from flair_client.ids import CODEC_RAW, Cid, CommitId
from flair_client.limits import MAX_RAW_BLOCK_SIZE
from flair_client.porcelain.reachable import Kind, Need, commit_need, links_of
from flair_client.store.base import Store
from flair_client.store.bulk import read_ahead

# What objects refer to and what did not come yet: a manifest lists at most 50,000.
MAX_WAITING: Final = 250_000
# Of each block its name is kept in memory, some 250 bytes with everything.
MAX_BLOCKS: Final = 1 << 21


def car_links(need: Need, block: bytes) -> list[Need]:
    """What an object refers to; of a model that was merged also its weights.

    A merge of models is made again from them by whoever verifies it.

    Raises:
        ObjectInvalid, ObjectTooLarge: it is not what it should be.
    """
    links = links_of(need, block)
    if need.kind is Kind.MODEL:
        weights = decode_commit(block).weights
        if weights is not None:
            links.append(Need(weights, Kind.MANIFEST, f"weights of {need.what}"))
    return links


def blocks_in_order(store: Store, commit_id: CommitId) -> Iterator[tuple[Cid, bytes]]:
    """Every block of a commit and its history, each once.

    Args:
        store: where the blocks lie; a far one is asked for several at once.
        commit_id: the commit.

    Raises:
        BlockMissing, DigestMismatch: a block is not there or not itself.
        ObjectInvalid: an object is not what it should be.
    """
    written: set[Cid] = set()
    walked: set[tuple[Cid, Kind]] = set()
    stack = [commit_need(commit_id, f"commit {commit_id.short}")]
    while stack:
        need = stack.pop()
        if (need.cid, need.kind) in walked:
            continue
        walked.add((need.cid, need.kind))
        block = store.get(need.cid)
        if need.cid not in written:
            written.add(need.cid)
            yield need.cid, block
        links = [] if need.kind is Kind.RAW else car_links(need, block)
        new = dict.fromkeys(
            one.cid for one in links if one.kind is Kind.RAW and one.cid not in written
        )
        written.update(new)
        yield from read_ahead(store, new)
        stack += [one for one in reversed(links) if one.kind is not Kind.RAW]


@dataclass(slots=True)
class Intake:
    """Checks blocks as they come out of a CAR: each must have been referred to.

    Attributes:
        root: the commit that the CAR is of.
        get: gives a block back that came before.
        n_commits: so far.
    """

    root: CommitId
    get: Callable[[Cid], bytes]
    n_commits: int = 0
    _waiting: dict[Cid, list[Need]] = field(default_factory=dict)
    _came: set[Cid] = field(default_factory=set)
    _followed: set[tuple[Cid, Kind]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Waits for the commit first."""
        self._expect(commit_need(self.root, f"commit {self.root.short}"))

    def check(self, cid: Cid, block: bytes) -> None:
        """Takes a block whose digest was compared; `get` must give it from now on.

        Raises:
            CarInvalid: nothing before it refers to it, it came already, it is not
                what it is referred to as, or too much is waited for.
            SignatureInvalid: it is a commit that its author did not sign.
        """
        needs = self._waiting.pop(cid, None)
        if needs is None:
            again = cid in self._came
            reason = "it comes twice" if again else "nothing before it refers to it"
            raise CarInvalid(f"block {cid}", reason)
        if cid.codec == CODEC_RAW and len(block) > MAX_RAW_BLOCK_SIZE:
            raise CarInvalid(f"block {cid}", f"it has {len(block)} bytes")
        self._came.add(cid)
        if len(self._came) > MAX_BLOCKS:
            raise CarInvalid(f"block {cid}", f"more than {MAX_BLOCKS} blocks")
        todo = [(need, block) for need in needs]
        while todo:
            todo += self._follow(*todo.pop())

    def check_end(self) -> None:
        """Refuses a CAR in which something is missing.

        Raises:
            CarInvalid: names the first block.
        """
        for cid, needs in self._waiting.items():
            count = len(self._waiting)
            blocks = "a block is" if count == 1 else f"{count} blocks are"
            reason = f"{blocks} missing, the first: {needs[0].what} ({cid})"
            raise CarCut("end", reason)

    def _follow(self, need: Need, block: bytes) -> Iterator[tuple[Need, bytes]]:
        """What was there before and is now needed as an object too."""
        if need.kind is Kind.RAW:
            return
        if need.kind in (Kind.COMMIT, Kind.MODEL):
            self._check_commit(need, block)
        try:
            links = car_links(need, block)
        except ObjectError as exc:
            raise CarInvalid(f"block {need.cid}", f"{need.what}: {exc}") from exc
        for link in links:
            if self._expect(link):
                yield link, self.get(link.cid)

    def _check_commit(self, need: Need, block: bytes) -> None:
        try:
            commit = decode_commit(block)
        except ObjectError as exc:
            raise CarInvalid(f"block {need.cid}", f"{need.what}: {exc}") from exc
        verify_commit_signature(commit, verify_signature)
        self.n_commits += need.kind is Kind.COMMIT

    def _expect(self, need: Need) -> bool:
        """Waits for a block; whether it came before, and is to be looked at again."""
        if need.kind is not Kind.RAW:
            if (need.cid, need.kind) in self._followed:
                return False
            self._followed.add((need.cid, need.kind))
        if need.cid in self._came:
            return need.kind is not Kind.RAW
        needs = self._waiting.setdefault(need.cid, [])
        if need.kind is not Kind.RAW or not needs:
            needs.append(need)
        if len(self._waiting) > MAX_WAITING:
            reason = f"more than {MAX_WAITING} blocks are referred to and did not come"
            raise CarInvalid(need.what, reason)
        return False
