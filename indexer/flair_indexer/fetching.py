"""Fetches listed transactions and reads them, without the database.

So that it can be done ahead, in another thread or process, while the ones before are
written.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from flair_client.ids import Address
from flair_indexer.decode import Decoded, decode
from flair_indexer.parts import parts
from flair_indexer.source import Source

_NO_INDEX: Final = -1
# Transactions in a part, as many as an RPC takes in one request; and parts that the
# source is asked for before they are read.
_PART: Final = 100
_AHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class Waiting:
    """A listed transaction whose turn it is."""

    signature: str
    slot: int
    is_final: bool
    n_attempts: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """Transactions of whole slots, as the source gave them.

    Attributes:
        decoded: what each says; None where the source has none.
    """

    waiting: tuple[Waiting, ...]
    decoded: tuple[Decoded | None, ...]


def fetch(source: Source, waiting: Sequence[Waiting], program_id: Address) -> Fetched:
    """Asks the source for listed transactions and reads them, a part at a time.

    While a part is read the source works on the next one.

    Args:
        source: asked for the order in a block as well, where it does not tell it.
        waiting: whole slots.
        program_id: ours.
    """
    found: list[Decoded | None] = []
    cut = list(parts(waiting, _PART))
    with ThreadPoolExecutor(1, "flair-indexer-ask") as pool:
        asked = [pool.submit(_ask, source, part) for part in cut[:_AHEAD]]
        for number, part in enumerate(cut):
            answers = asked.pop(0).result()
            if number + _AHEAD < len(cut):
                asked.append(pool.submit(_ask, source, cut[number + _AHEAD]))
            pairs = zip(part, answers, strict=True)
            for slot, group in groupby(pairs, key=lambda one: one[0].slot):
                found += _read_slot(source, slot, list(group), program_id)
    return Fetched(tuple(waiting), tuple(found))


def _ask(source: Source, part: Sequence[Waiting]) -> list[Any]:
    return source.transactions([one.signature for one in part])


def _read_slot(
    source: Source, slot: int, own: list[tuple[Waiting, Any]], program_id: Address
) -> list[Decoded | None]:
    order: dict[str, int] | None = None
    found: list[Decoded | None] = []
    for one, answer in own:
        if answer is None:
            found.append(None)
            continue
        place = _tx_index(answer)
        if place == _NO_INDEX:
            order = source.block_order(slot) if order is None else order
            place = order.get(one.signature, _NO_INDEX)
        found.append(
            decode(
                one.signature,
                slot,
                answer,
                tx_index=place,
                is_final=one.is_final,
                program_id=program_id,
            )
        )
    return found


def _tx_index(answer: Any) -> int:
    place = answer.get("transactionIndex") if isinstance(answer, dict) else 0
    return place if type(place) is int and 0 <= place < 1 << 31 else _NO_INDEX
