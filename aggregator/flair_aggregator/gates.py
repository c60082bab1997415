"""Gates: what is remarkable about updates that are sound. Pure functions of integers.

A gate reports. It leaves nothing out by itself: only the owner does, with a reason.
"""

from collections.abc import Iterable, Mapping
from math import isqrt
from typing import Final, TypeVar

# Fewer updates than this have no middle that an outlier could stand out from.
MIN_UPDATES: Final = 4
# Three standard deviations; 1.4826 median absolute deviations of a normal distribution
# are one (Hampel 1974). In thousandths.
_MAX_DEVIATIONS: Final = 3 * 1483
# Deviations below a tenth of the median are no reason to suspect anybody.
_FLOOR_SHARE: Final = 10
_FRACTION_BITS: Final = 16
# An update may make the held-out score worse by a tenth, and by 0.02 where it is good
# already: one hospital's update alone is expected to fit that hospital best.
_SCORE_FACTOR: Final = 1.1
_SCORE_SLACK: Final = 0.02

K = TypeVar("K")


def norm_outliers(norms_sq: Mapping[K, int]) -> dict[K, str]:
    """Gives the updates whose norm is far above the others', and why.

    Far above: more than three deviations above the median norm, the deviation estimated
    by the median of absolute deviations (Hampel's identifier). Where nearly all norms
    are equal, because they were clipped to the same bound, a tenth of the median takes
    the deviation's place. Short updates are never remarkable.

    Args:
        norms_sq: squared norm of each update, in units of the delta.
    """
    if len(norms_sq) < MIN_UPDATES:
        return {}
    norms = {key: isqrt(value << 2 * _FRACTION_BITS) for key, value in norms_sq.items()}
    middle = _median(norms.values())
    deviation = _median(abs(norm - middle) for norm in norms.values())
    spread = max(deviation, middle // _FLOOR_SHARE)
    limit = middle + _MAX_DEVIATIONS * spread // 1000
    found = {}
    for key, norm in norms.items():
        if norm > limit:
            shown = [value / (1 << _FRACTION_BITS) for value in (norm, middle, limit)]
            text = "its norm {:.6g} is far above the median {:.6g}; at most {:.6g}"
            found[key] = text.format(*shown)
    return found


def low_scores(base: float, scores: Mapping[K, float]) -> dict[K, str]:
    """Gives the updates that make the held-out log-loss clearly worse, and by how much.

    Args:
        base: log-loss of the round's base.
        scores: log-loss of the base and each update alone.
    """
    limit = max(base * _SCORE_FACTOR, base + _SCORE_SLACK)
    text = "alone it makes the held-out log-loss {:.6g} instead of {:.6g}"
    return {
        key: text.format(score, base) for key, score in scores.items() if score > limit
    }


def copy_texts(copies: Mapping[K, K]) -> dict[K, str]:
    """Says of each copy what it is a copy of."""
    text = "its values are the very same as those of {}, who pushed before"
    return {key: text.format(origin) for key, origin in copies.items()}


def _median(values: Iterable[int]) -> int:
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return (low + high) // 2
