"""Products, quotients and shifts wider than a register, against Python's integers."""

import random
import struct

import pytest

pytestmark = pytest.mark.sbf

TYPES = {
    "u32": (0, 32, False),
    "i32": (1, 32, True),
    "u64": (2, 64, False),
    "i64": (3, 64, True),
    "u128": (4, 128, False),
    "i128": (5, 128, True),
}


def wrap(value: int, bits: int, *, signed: bool = False) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def le(value: int, bits: int = 128) -> bytes:
    return wrap(value, bits).to_bytes(bits // 8, "little")


def edges(bits: int) -> list[int]:
    """Numbers at which carries and signs change."""
    powers = [1 << k for k in (0, 1, 31, 32, 33, 63, 64, 65, 95, 96, 127) if k < bits]
    near = [p + d for p in powers for d in (-1, 0, 1)]
    return sorted({wrap(sign * n, bits) for n in near for sign in (1, -1)})


def pairs(bits: int, seed: str) -> list[tuple[int, int]]:
    rng = random.Random(seed)
    values = edges(bits)
    made = [(rng.choice(values), rng.choice(values)) for _ in range(120)]
    made += [(rng.getrandbits(bits), rng.getrandbits(bits)) for _ in range(40)]
    # around the square root, where a product begins to overflow
    made += [
        (rng.getrandbits(rng.randint(1, bits)), rng.getrandbits(rng.randint(1, bits)))
        for _ in range(60)
    ]
    return made


def limits(bits: int, seed: str, *, signed: bool) -> list[tuple[int, int]]:
    """Products just inside and just outside what fits."""
    rng = random.Random(seed)
    largest = (1 << (bits - signed)) - 1
    factors = [
        3,
        5,
        7,
        *(rng.getrandbits(rng.randint(2, bits - 2)) | 1 for _ in range(40)),
    ]
    made = [(largest // f + d, f) for f in factors for d in (0, 1)]
    if signed:
        made += [((largest + 1) // f + d, -f) for f in factors for d in (0, 1)]
        made += [(-((largest + 1) // f + d), f) for f in factors for d in (0, 1)]
    return made


def option(value: int | None, bits: int) -> bytes:
    return b"\0" if value is None else b"\1" + le(value, bits)


def fits(value: int, bits: int, *, signed: bool) -> int | None:
    return value if wrap(value, bits, signed=signed) == value else None


def test_wide_products_equal_pythons(probe):
    for a, b in pairs(128, "wide"):
        low_a, low_b = wrap(a, 64), wrap(b, 64)
        signed = wrap(a, 64, signed=True) * wrap(b, 64, signed=True)
        expected = le(low_a * low_b) + le(a * b) + le(signed)
        assert probe(b"w" + le(a) + le(b)) == expected, (a, b)


@pytest.mark.parametrize("name", TYPES)
def test_checked_products_equal_pythons(probe, name):
    code, bits, signed = TYPES[name]
    overflows = 0
    for a, b in [*pairs(bits, name), *limits(bits, name, signed=signed)]:
        x, y = wrap(a, bits, signed=signed), wrap(b, bits, signed=signed)
        product = fits(x * y, bits, signed=signed)
        overflows += product is None
        answer = probe(b"c" + bytes([code]) + le(a, bits) + le(b, bits))
        assert answer == option(product, bits), (x, y)
    assert 60 < overflows < 300


@pytest.mark.parametrize("name", TYPES)
def test_quotients_and_remainders_equal_pythons(probe, name):
    code, bits, signed = TYPES[name]
    for a, b in [*pairs(bits, f"{name} /"), (5, 0), (0, 0), (1 << (bits - 1), -1)]:
        x, y = wrap(a, bits, signed=signed), wrap(b, bits, signed=signed)
        quotient = remainder = None
        if y and fits(x // y, bits, signed=signed) is not None:
            # Python rounds down, the machine towards zero
            quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
            remainder = x - quotient * y
        answer = probe(b"d" + bytes([code]) + le(a, bits) + le(b, bits))
        assert answer == option(quotient, bits) + option(remainder, bits), (x, y)


def test_wide_shifts_equal_pythons(probe):
    rng = random.Random("shift")
    for by in range(128):
        for a in (1, -1, 1 << 127, 1 << 64, rng.getrandbits(128)):
            u, s = wrap(a, 128), wrap(a, 128, signed=True)
            expected = (
                le(u << by) + le(u >> by) + le(s >> by) + le(u << by | u >> (128 - by))
            )
            assert probe(b"s" + le(a) + bytes([by])) == expected, (a, by)


def test_counts_and_byte_order_equal_pythons(probe):
    def counts(value: int, bits: int) -> list[int]:
        text = f"{value:0{bits}b}"
        return [
            bits - len(text.lstrip("0")),
            bits - len(text.rstrip("0")),
            text.count("1"),
        ]

    for a in [
        *edges(128),
        0,
        *(random.Random("bits").getrandbits(128) for _ in range(20)),
    ]:
        low = wrap(a, 64)
        expected = bytes(counts(a, 128) + counts(low, 64)) + le(a)[::-1]
        expected += le(int(f"{low:064b}"[::-1], 2), 64)
        assert probe(b"b" + le(a)) == expected, a


def test_text_of_wide_numbers_equals_pythons(probe):
    for a in [
        *edges(128)[::5],
        0,
        *(random.Random("text").getrandbits(128) for _ in range(10)),
    ]:
        width = a % 50
        signed, word = wrap(a, 128, signed=True), wrap(a, 64, signed=True)
        expected = (
            f"{a} {signed} {a:x} {a:#034b} {a:>{width}} Some({word}) "
            f"{a % 256:5}|{a % 65536:<5}"
            f"|{wrap(a, 32, signed=True):+}"
        )
        assert probe(b"t" + le(a) + bytes([width])) == expected.encode(), a


def test_arguments_are_read_as_little_endian(probe):
    # so that the other tests do not agree with the probe in a common mistake
    assert probe(b"w" + struct.pack("<QQQQ", 3, 0, 5, 0))[:8] == bytes(
        [15, 0, 0, 0, 0, 0, 0, 0]
    )
