"""Updates of a round that say the very same as an earlier one."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

from flair_client.objects import Delta

K = TypeVar("K", bound=Hashable)


def values_of(delta: Delta) -> tuple[bytes, ...]:
    """What an update adds, whoever signs it and however it is encoded.

    Returns:
        the digests of its tensors in the order of their names; nothing where all of it
        is zero, which no two sites need to have from each other.
    """
    if delta.norm_sq == 0:
        return ()
    ordered = sorted(delta.tensors, key=lambda tensor: tensor.name)
    return tuple(tensor.digest.raw for tensor in ordered)


def copies(updates: Iterable[tuple[K, tuple[bytes, ...]]]) -> dict[K, K]:
    """Gives each copy with what it is a copy of, the first of its kind.

    Two sites that train on rows of their own never get the same integers everywhere:
    one of them copied, or both have the same rows.

    Args:
        updates: in the order in which they were pushed, with `values_of` each.
    """
    first: dict[tuple[bytes, ...], K] = {}
    found: dict[K, K] = {}
    for key, values in updates:
        if not values:
            continue
        origin = first.setdefault(values, key)
        if origin is not key:
            found[key] = origin
    return found
