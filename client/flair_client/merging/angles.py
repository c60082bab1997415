"""Sine and arc cosine that are the same on every machine.

Libraries of floating-point functions differ in the last bit. Decimal arithmetic is
defined to the last digit (General Decimal Arithmetic, IBM; IEEE 854), so series in it
are not; the result is rounded to float64 once.
"""

from decimal import Context, Decimal, localcontext

_DIGITS = 50
_SMALL = Decimal(10) ** -(_DIGITS + 5)
_CONTEXT = Context(prec=_DIGITS)


def slerp_factors(cosine: float, t: Decimal) -> tuple[float, float]:
    """`sin((1 - t) w) / sin w` and `sin(t w) / sin w`, where `cosine` is that of `w`.

    Args:
        cosine: between -1 and 1, neither of them.
        t: from 0 to 1.
    """
    with localcontext(_CONTEXT):
        angle = arc_cosine(Decimal(cosine))
        whole = sine(angle)
        first = sine((1 - t) * angle) / whole
        second = sine(t * angle) / whole
    return float(first), float(second)


def arc_cosine(cosine: Decimal) -> Decimal:
    """The angle: `2 atan(sqrt((1 - c) / (1 + c)))`; c is above -1 and at most 1."""
    with localcontext(_CONTEXT):
        return 2 * _arc_tangent(((1 - cosine) / (1 + cosine)).sqrt())


def sine(angle: Decimal) -> Decimal:
    """By its series; for angles from 0 to pi."""
    with localcontext(_CONTEXT):
        term = total = angle
        n = 1
        while abs(term) > _SMALL:
            n += 2
            term = -term * angle * angle / (n * (n - 1))
            total += term
        return total


def _arc_tangent(x: Decimal) -> Decimal:
    """By its series, after halving the angle until it is small."""
    n_halved = 0
    while x > Decimal("0.01"):
        x /= 1 + (1 + x * x).sqrt()
        n_halved += 1
    power = total = x
    n = 1
    while abs(power) > _SMALL:
        n += 2
        power = -power * x * x
        total += power / n
    return total * Decimal(2) ** n_halved
