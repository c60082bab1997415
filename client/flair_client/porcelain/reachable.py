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
    seen: set[Cid] = set()
    while queue:
        need = queue.popleft()
        if need.cid not in seen:
            seen.add(need.cid)
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
    needs = [commit_need(one, f"commit {one.short}") for one in commit.parents]
    for field, kind in _FIELDS.items():
        cid = getattr(commit, field)
        if cid is not None:
            needs.append(Need(cid, kind, f"{field} of {name}"))
    return needs


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
    Kind.MANIFEST: _of_manifest,
    Kind.DELTA: _of_delta,
    Kind.RECIPE: _of_recipe,
    Kind.EVENTS: _of_events,
}
