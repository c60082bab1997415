"""What a commit needs, down to the last block; used by `fsck`, no verb itself."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from flair_client.encoding import (
    decode_commit,
    decode_delta,
    decode_event_list,
    decode_manifest,
    decode_recipe,
)
from flair_client.ids import Cid, CommitId


class Kind(Enum):
    """What a block holds."""

    COMMIT = auto()
    # A commit of another line, whose weights were merged: all of them are in the merge.
    MODEL = auto()
    MANIFEST = auto()
    DELTA = auto()
    RECIPE = auto()
    EVENTS = auto()
    RAW = auto()


@dataclass(frozen=True, slots=True)
class Need:
    """A block that something needs.

    Attributes:
        what: it is, for people: `weights linear.bias of commit 1f2e…`.
        has_light: whether a light form stands for it where that will do.
    """

    cid: Cid
    kind: Kind
    what: str
    has_light: bool = False


def commit_need(commit_id: CommitId, what: str) -> Need:
    """The need of a commit, under a name such as HEAD."""
    return Need(commit_id.cid, Kind.COMMIT, what)


def reachable(
    starts: Iterable[Need], links: Callable[[Need], Iterable[Need]]
) -> Iterator[Need]:
    """Every need once, starting with what is given.

    Args:
        starts: where to begin.
        links: gives what a block that is no raw one refers to; nothing where it cannot
            be read.
    """
    queue = deque(starts)
    # What is needed as a model alone may be needed with its history as well.
    seen: set[tuple[Cid, bool]] = set()
    while queue:
        need = queue.popleft()
        key = need.cid, need.kind is Kind.MODEL
        if key not in seen:
            seen.add(key)
            yield need
            if need.kind is not Kind.RAW:
                queue.extend(links(need))


def links_of(need: Need, block: bytes) -> list[Need]:
    """What an object refers to.

    Raises:
        ObjectInvalid, ObjectTooLarge: it is not what it should be.
    """
    return _LINKS[need.kind](need, block)


def _of_commit(need: Need, block: bytes) -> list[Need]:
    commit = decode_commit(block)
    name = f"commit {CommitId(need.cid.digest).short}"
    line = commit.parents[:1] if commit.merges_models else commit.parents
    needs = [commit_need(one, f"commit {one.short}") for one in line]
    if commit.merges_models and commit.strategy is not None:
        base = () if commit.strategy.base is None else (commit.strategy.base,)
        needs += [
            Need(one.cid, Kind.MODEL, f"model {one.short} of {name}")
            for one in (*commit.parents[1:], *base)
        ]
    for field, kind in _FIELDS.items():
        cid = getattr(commit, field)
        if cid is not None:
            needs.append(Need(cid, kind, f"{field} of {name}"))
    return needs


def _of_model(_need: Need, block: bytes) -> list[Need]:
    decode_commit(block)
    return []


def _of_manifest(need: Need, block: bytes) -> list[Need]:
    manifest = decode_manifest(block)
    source = () if manifest.source is None else manifest.source.blocks
    return [
        *(Need(cid, Kind.RAW, f"header, {need.what}") for cid in source),
        *(
            Need(cid, Kind.RAW, f"tensor {entry.name!r}, {need.what}", has_light)
            for entry in manifest.tensors
            for has_light in (entry.light is not None,)
            for cid in entry.blocks
        ),
        *(
            Need(cid, Kind.RAW, f"light form of tensor {entry.name!r}, {need.what}")
            for entry in manifest.tensors
            if entry.light is not None
            for cid in entry.light.blocks
        ),
    ]


def _of_delta(need: Need, block: bytes) -> list[Need]:
    return [
        Need(cid, Kind.RAW, f"tensor {tensor.name!r}, {need.what}")
        for tensor in decode_delta(block).tensors
        for cid in tensor.blocks
    ]


def _of_recipe(need: Need, block: bytes) -> list[Need]:
    return [
        Need(file.cid, Kind.RAW, f"{file.path!r}, {need.what}")
        for file in decode_recipe(block).files
    ]


def _of_events(_need: Need, block: bytes) -> list[Need]:
    # The events themselves are in the list.
    decode_event_list(block)
    return []


_FIELDS: Final[Mapping[str, Kind]] = {
    "weights": Kind.MANIFEST,
    "delta": Kind.DELTA,
    "recipe": Kind.RECIPE,
    "events": Kind.EVENTS,
    "strategy_state": Kind.MANIFEST,
    "report": Kind.RAW,
    "proof": Kind.RAW,
    "opening": Kind.RAW,
}
_LINKS: Final[Mapping[Kind, Callable[[Need, bytes], list[Need]]]] = {
    Kind.COMMIT: _of_commit,
    Kind.MODEL: _of_model,
    Kind.MANIFEST: _of_manifest,
    Kind.DELTA: _of_delta,
    Kind.RECIPE: _of_recipe,
    Kind.EVENTS: _of_events,
}
