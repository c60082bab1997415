"""Folds a repository's events, one after the other, and refuses what does not follow.

Pure. The number and root that come out are compared with the account's: where they are
the same, no event is missing and none was invented.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from flair_client.chain import events as ev
from flair_indexer.changes import Change
from flair_indexer.project import project

ZERO_ROOT = bytes(32)


@dataclass(frozen=True, slots=True)
class Fold:
    """How far a repository, or the Config, was folded.

    Attributes:
        seq: number of the last event; 0 before the first.
        root: its root; zero before the first.
        authority_epoch: how often the authority changed.
    """

    repo: bytes
    seq: int = 0
    root: bytes = ZERO_ROOT
    authority_epoch: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event that may be the next one, or a later one."""

    seq: int
    prev_root: bytes
    root: bytes
    event: ev.Event


def fold(state: Fold, candidates: Iterable[Candidate]) -> tuple[Fold, list[Change]]:
    """Folds the events that follow; stops at the first gap.

    Args:
        state: where to go on.
        candidates: by number; of several with one number that of the line that `state`
            is on is taken. Others wait: their slot may be the one that stays.

    Returns:
        The state afterwards, and the changes of rows.
    """
    changes: list[Change] = []
    for one in candidates:
        if one.seq <= state.seq:
            continue
        if one.seq > state.seq + 1:
            break
        if one.prev_root != state.root:
            continue
        changes += project(one.event, state.authority_epoch)
        epoch = state.authority_epoch
        if isinstance(one.event, ev.AuthorityAccepted):
            epoch = one.event.authority_epoch
        state = Fold(state.repo, one.seq, one.root, epoch)
    return state, changes
