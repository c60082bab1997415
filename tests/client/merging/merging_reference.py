"""The published formulas, written out value by value in plain Python.

From the papers and mergekit's documentation, not from Flair's code: lists of floats,
`math`, and an exact order of additions where bytes are compared.
"""

import hashlib
import math
import struct
from fractions import Fraction


def linear(models, weights, *, normalize=True):
    """`sum(w x) / sum(w)` (Wortsman et al. 2022)."""
    sums = [
        _sum([w * m[i] for m, w in zip(models, weights, strict=True)])
        for i in _n(models)
    ]
    return [s / _whole(weights) for s in sums] if normalize else sums


def slerp(a, b, t):
    """Shoemake 1985, with mergekit's threshold for parallel tensors."""
    length_a, length_b = (math.sqrt(math.fsum(x * x for x in m)) for m in (a, b))
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    cosine = dot / (length_a if length_a > 1e-8 else 1)
    cosine /= length_b if length_b > 1e-8 else 1
    if abs(cosine) > 0.9995:
        return [(1 - t) * x + t * y for x, y in zip(a, b, strict=True)]
    angle = math.acos(cosine)
    first = math.sin((1 - t) * angle) / math.sin(angle)
    second = math.sin(t * angle) / math.sin(angle)
    return [first * x + second * y for x, y in zip(a, b, strict=True)]


def task_arithmetic(models, weights, base, *, lambda_=1.0, normalize=False):
    """`base + lambda * sum(w tau)` (Ilharco et al. 2023)."""
    taus = [[x - y for x, y in zip(m, base, strict=True)] for m in models]
    return _add(base, taus, weights, lambda_=lambda_, normalize=normalize)


def ties(models, weights, base, density, *, lambda_=1.0, normalize=True):
    """Trim, elect, disjoint mean (Yadav et al. 2023)."""
    taus = [[x - y for x, y in zip(m, base, strict=True)] for m in models]
    taus = [_trim(tau, density) for tau in taus]
    return _elect(base, taus, weights, lambda_=lambda_, normalize=normalize)


def dare(
    models,
    weights,
    base,
    masks,
    density,
    *,
    elect,
    lambda_=1.0,
    normalize=False,
    rescale=True,
):
    """Drop and rescale (Yu et al. 2024), then add up or elect."""
    taus = [
        [
            (x - y) / (density if rescale else 1.0) if kept else 0.0
            for x, y, kept in zip(m, base, mask, strict=True)
        ]
        for m, mask in zip(models, masks, strict=True)
    ]
    mix = _elect if elect else _add
    return mix(base, taus, weights, lambda_=lambda_, normalize=normalize)


def dare_mask(seed, commit_id, name, density_e9, n_values):
    """As docs/merging.md defines it, value by value."""
    below = round_half_even(density_e9 * 2**32, 10**9)
    mask = []
    for i in range(n_values):
        chunk, at = divmod(i, 65536)
        key = b"flair-dare-v1\n" + struct.pack("<Q", seed) + commit_id
        key += struct.pack("<I", len(name.encode())) + name.encode()
        key += struct.pack("<Q", chunk)
        if at == 0:
            stream = hashlib.shake_128(key).digest(4 * 65536)
        (drawn,) = struct.unpack_from("<I", stream, 4 * at)
        mask.append(drawn < below)
    return mask


def round_half_even(numerator, denominator):
    quotient, rest = divmod(numerator, denominator)
    up = 2 * rest > denominator or (2 * rest == denominator and quotient % 2)
    return quotient + bool(up)


def _trim(tau, density):
    n_kept = max(1, math.floor(density * len(tau) + 1e-9))
    ranked = sorted(range(len(tau)), key=lambda i: (-abs(tau[i]), i))
    kept = set(ranked[:n_kept])
    return [x if i in kept else 0.0 for i, x in enumerate(tau)]


def _elect(base, taus, weights, *, lambda_, normalize):
    merged = []
    for i in range(len(base)):
        weighted = [w * tau[i] for tau, w in zip(taus, weights, strict=True)]
        sign = 1 if _sum(weighted) >= 0 else -1
        agreeing = [
            (x, w) for x, w in zip(weighted, weights, strict=True) if x * sign > 0
        ]
        total = _sum([x for x, _ in agreeing])
        if normalize:
            total /= _sum([w for _, w in agreeing]) or 1.0
        merged.append(base[i] + total * lambda_)
    return merged


def _add(base, taus, weights, *, lambda_, normalize):
    merged = []
    for i in range(len(base)):
        total = _sum([w * tau[i] for tau, w in zip(taus, weights, strict=True)])
        if normalize:
            total /= _whole(weights)
        merged.append(base[i] + total * lambda_)
    return merged


def _sum(values):
    total = 0.0
    for value in values:
        total += value
    return total


def _whole(weights):
    """The exact sum of the decimals that were typed, rounded once."""
    return float(sum(Fraction(repr(weight)) for weight in weights))


def _n(models):
    return range(len(models[0]))
