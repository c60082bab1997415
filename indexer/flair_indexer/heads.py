"""Checks the heads of branches as `flair verify` does, and notes what is wrong.

The events come from the mirror, accounts from the chain, blocks from the store. An
invalid head is noted with its fault and the newest valid commit before it; a head whose
blocks are not there is `missing` and looked at again.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import delete, select

from flair_client.chain.events import event_block
from flair_client.chain.pdas import find_branch_pda
from flair_client.errors import (
    AccountInvalid,
    AccountMissing,
    BlockMissing,
    VerificationError,
)
from flair_client.history.checked import InvalidCommit
from flair_client.history.evidence import RepoEvidence, VerifyChain, gather_repo
from flair_client.history.verify import ValidHead, valid_head_of
from flair_client.ids import CODEC_RAW, Address, Cid, CommitId
from flair_client.limits import MAX_OBJECT_SIZE
from flair_client.store.base import Store
from flair_indexer.cursor import Owner
from flair_indexer.db import Database
from flair_indexer.queries import read_events
from flair_indexer.tables import BRANCHES, HEAD_CHECKS, INVALID_COMMITS
from flair_indexer.write import put_rows

VALID: Final = "valid"
INVALID: Final = "invalid"
MISSING: Final = "missing"
_FAULT_LIMIT: Final = 500
_KEPT_REPOS: Final = 8
_PAGE: Final = 2000


class MirroredEvents:
    """A store in front of another one: blocks of events come from the mirror."""

    def __init__(self, store: Store, events: dict[Cid, bytes]) -> None:
        self._store = store
        self._events = events

    def get(self, cid: Cid, *, max_size: int = MAX_OBJECT_SIZE) -> bytes:
        """The mirror's block, or the store's. Raises as `Store.get`."""
        found = self._events.get(cid)
        return self._store.get(cid, max_size=max_size) if found is None else found

    def put(self, codec: int, block: bytes | memoryview) -> Cid:
        """Keeps a block in the store behind."""
        return self._store.put(codec, block)

    def has(self, cid: Cid) -> bool:
        """Whether either has it."""
        return cid in self._events or self._store.has(cid)

    def delete(self, cid: Cid) -> None:
        """Forgets it in the store behind."""
        self._store.delete(cid)

    def batch(self) -> AbstractContextManager[None]:
        """As the store behind."""
        return self._store.batch()

    def __iter__(self) -> Iterator[Cid]:
        """Blocks of the store behind."""
        return iter(self._store)


@dataclass(frozen=True, slots=True)
class _Due:
    branch: bytes
    name: str
    valid_head: bytes | None


@dataclass(slots=True)
class HeadChecker:
    """Checks heads; what it read of the last repositories is kept.

    Attributes:
        chain: read by one thread at a time.
        store: the shared one.
        genesis_hash: that the program's Config must be made for.
    """

    database: Database
    chain: VerifyChain
    store: Store
    genesis_hash: str | None = None
    _known: "OrderedDict[bytes, RepoEvidence]" = field(default_factory=OrderedDict)
    _again_at: dict[bytes, float] = field(default_factory=dict)

    def check_due(self, owner: Owner, *, now: float, pause_s: float) -> tuple[int, int]:
        """Checks every head that was not checked yet, or lacked blocks.

        Returns:
            How many are valid, and how many are not.

        Raises:
            StoreUnavailable, RpcUnavailable: no verdict could be reached.
        """
        n_valid = n_not = 0
        for repo, due in sorted(self._due().items()):
            if self._again_at.get(repo, 0.0) > now:
                continue
            states = self._check_repo(owner, repo, due)
            n_valid += states.count(VALID)
            n_not += len(states) - states.count(VALID)
            if MISSING in states:
                self._again_at[repo] = now + pause_s
            else:
                self._again_at.pop(repo, None)
        return n_valid, n_not

    def _due(self) -> dict[bytes, list[_Due]]:
        query = (
            select(
                BRANCHES.c.repo,
                BRANCHES.c.branch,
                BRANCHES.c.name,
                HEAD_CHECKS.c.valid_head,
            )
            .select_from(
                BRANCHES.outerjoin(
                    HEAD_CHECKS, BRANCHES.c.branch == HEAD_CHECKS.c.branch
                )
            )
            .where(
                BRANCHES.c.head_seq > 0,
                HEAD_CHECKS.c.branch.is_(None)
                | (HEAD_CHECKS.c.head_seq < BRANCHES.c.head_seq)
                | (HEAD_CHECKS.c.state == MISSING),
            )
        )
        found: dict[bytes, list[_Due]] = {}
        with self.database.reading() as connection:
            for row in connection.execute(query):
                valid = None if row.valid_head is None else bytes(row.valid_head)
                due = _Due(bytes(row.branch), row.name, valid)
                found.setdefault(bytes(row.repo), []).append(due)
        return found

    def _check_repo(self, owner: Owner, repo: bytes, due: list[_Due]) -> list[str]:
        try:
            evidence = self._gather(Address(repo))
        except (VerificationError, AccountInvalid, AccountMissing) as exc:
            # Accounts and events do not fit: nothing can be said about any commit.
            self._note_all(owner, repo, due, str(exc), _is_missing(exc))
            return [MISSING if _is_missing(exc) else INVALID] * len(due)
        states = []
        for one in due:
            if one.name not in evidence.branches:
                continue
            gathered = evidence.branch(one.name)
            since = None if one.valid_head is None else CommitId(one.valid_head)
            heads = [move.new_head for move in gathered.evidence.moves]
            found = valid_head_of(gathered, since=since if since in heads else None)
            seq = gathered.branch_account.head_seq
            states.append(self._note(owner, repo, one, found, seq))
        return states

    def _gather(self, repo: Address) -> RepoEvidence:
        # Folding changes records in place: an error leaves nothing to go on from.
        known = self._known.pop(repo.raw, None)
        n_known = 0 if known is None else len(known.events)
        blocks = self._event_blocks(repo, n_known)
        store = MirroredEvents(self.store, blocks)
        found = gather_repo(
            self.chain, store, repo, genesis_hash=self.genesis_hash, known=known
        )
        self._known[repo.raw] = found
        while len(self._known) > _KEPT_REPOS:
            self._known.popitem(last=False)
        return found

    def _event_blocks(self, repo: Address, after: int) -> dict[Cid, bytes]:
        blocks: dict[Cid, bytes] = {}
        with self.database.reading() as connection:
            while True:
                page = read_events(connection, repo, after=after, limit=_PAGE)
                for one in page:
                    blocks[Cid(CODEC_RAW, one.root.raw)] = event_block(one.payload)
                if len(page) < _PAGE:
                    return blocks
                after = page[-1].seq

    def _note_all(
        self, owner: Owner, repo: bytes, due: list[_Due], fault: str, missing: bool
    ) -> None:
        with self.database.reading() as connection:
            heads = {
                bytes(row.branch): (bytes(row.head_commit), row.head_seq)
                for row in connection.execute(
                    select(BRANCHES).where(BRANCHES.c.repo == repo)
                )
            }
        rows = [
            _row(
                repo,
                one.branch,
                heads[one.branch],
                state=MISSING if missing else INVALID,
                valid_head=one.valid_head,
                fault=fault,
            )
            for one in due
            if one.branch in heads
        ]
        with self.database.unit() as connection:
            owner.keep(connection)
            put_rows(connection, HEAD_CHECKS, rows)

    def _note(
        self, owner: Owner, repo: bytes, one: _Due, found: ValidHead, head_seq: int
    ) -> str:
        state = VALID
        if found.fault is not None:
            state = MISSING if _is_missing(found.fault) else INVALID
        valid = None if found.commit_id is None else found.commit_id.raw
        fault = None if found.fault is None else str(found.fault)
        head = found.head.raw, head_seq
        row = _row(repo, one.branch, head, state=state, valid_head=valid, fault=fault)
        wrong = [] if state == MISSING else self._wrong_rows(repo, found.invalid)
        with self.database.unit() as connection:
            owner.keep(connection)
            put_rows(connection, HEAD_CHECKS, [row])
            if state != MISSING and one.valid_head is None:
                connection.execute(
                    delete(INVALID_COMMITS).where(
                        INVALID_COMMITS.c.branch == one.branch
                    )
                )
            put_rows(connection, INVALID_COMMITS, wrong)
        return state

    def _wrong_rows(
        self, repo: bytes, wrong: tuple[InvalidCommit, ...]
    ) -> list[dict[str, Any]]:
        program_id = self.chain.program_id
        return [
            {
                "branch": find_branch_pda(Address(repo), one.branch, program_id)[0].raw,
                "head_seq": one.head_seq,
                "repo": repo,
                "commit_id": one.commit_id.raw,
                "fault": f"{one.where}: {one.reason}"[:_FAULT_LIMIT],
            }
            for one in wrong
        ]


def _row(
    repo: bytes,
    branch: bytes,
    head: tuple[bytes, int],
    *,
    state: str,
    valid_head: bytes | None,
    fault: str | None,
) -> dict[str, Any]:
    return {
        "branch": branch,
        "repo": repo,
        "head_commit": head[0],
        "head_seq": head[1],
        "state": state,
        "valid_head": valid_head,
        "fault": None if fault is None else fault[:_FAULT_LIMIT],
    }


def _is_missing(fault: BaseException | None) -> bool:
    """Whether a block that is not there is behind it: then it may still come."""
    while fault is not None:
        if isinstance(fault, BlockMissing):
            return True
        fault = fault.__cause__
    return False
