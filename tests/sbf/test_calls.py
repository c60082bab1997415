"""Calls through tables, pointers and with many arguments, against Python."""

import random
import struct

import pytest

pytestmark = pytest.mark.sbf

M64, M128 = (1 << 64) - 1, (1 << 128) - 1


def q(value: int) -> bytes:
    return struct.pack("<Q", value & M64)


def x(value: int) -> bytes:
    return (value & M128).to_bytes(16, "little")


def rotated(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & M64


def down(n: int, *numbers: int) -> int:
    first, *others = numbers
    if n == 0:
        return first ^ others[-1]
    return (down(n - 1, *others, first) + n) & M64


def expected_of(which: int, numbers: list[int], h: int, wides: list[int]) -> bytes:
    a, b, c, d, e, f, g = numbers
    u, v, w = wides
    weighted = sum(k * n for k, n in enumerate([*numbers, h], 1))
    mixed = (
        a ^ rotated(b, 1) ^ rotated(c, 2) ^ rotated(d, 3) ^ rotated(e ^ f, 4) ^ g ^ h
    )
    out = q(weighted) + q(mixed if which else weighted)
    out += x(u + (v << 1 & M128) - w + a * h)
    out += x(v + (u << 1 & M128) - w + b * h)
    out += x(a << 64 | b ^ c ^ d ^ e)
    total = a + b + c + d + e
    out += b"\1" + q(total) if total <= M64 else b"\0"
    return out + b"".join(map(q, (f, e, d, c, b, a, down(9, a, b, c, d, e))))


def test_many_arguments_arrive_in_order(probe):
    rng = random.Random("calls")
    for which in (0, 1):
        for bits in (3, 60, 64):
            for _ in range(10):
                numbers = [rng.getrandbits(bits) for _ in range(7)]
                wides = [rng.getrandbits(2 * bits) for _ in range(3)]
                h = rng.randrange(256)
                data = bytes([which]) + b"".join(map(q, numbers)) + bytes([h])
                answer = probe(b"f" + data + b"".join(map(x, wides)))
                assert answer == expected_of(which, numbers, h, wides)


def test_objects_answer_for_themselves(probe):
    rng = random.Random("objects")
    for count in (0, 1, 9):
        shapes, expected, scale = b"", b"", rng.getrandbits(64)
        for _ in range(count):
            sides = [rng.getrandbits(40) for _ in range(rng.choice([1, 2]))]
            shapes += bytes([len(sides) - 1]) + b"".join(map(q, sides))
            if len(sides) == 1:
                expected += q(sides[0] ** 2 * scale) + b"shape"
            else:
                expected += q(sides[0] * sides[1] + scale) + b"rectangle"
        assert probe(b"o" + bytes([count]) + shapes + q(scale)) == expected


def test_collections_sort_and_count(probe):
    words = random.Random("words").choices(
        ["model", "delta", "norm", "größe", "", "x"], k=40
    )
    counts = dict(
        sorted(((w, words.count(w)) for w in set(words)), key=lambda p: p[0].encode())
    )
    listed = sorted(
        ((n, w.upper()) for w, n in counts.items()),
        key=lambda p: (p[0], p[1].encode()),
        reverse=True,
    )
    first = ", ".join(f'"{word}": {n}' for word, n in counts.items())
    second = ", ".join(f'({n}, "{word}")' for n, word in listed)
    assert probe(b"r" + " ".join(words).encode()) == f"{{{first}}} [{second}]".encode()


@pytest.mark.parametrize("way", range(8))
def test_panic_aborts(probe, way):
    # the index, sum, length and so on that each way needs to fail
    number = {1: 3, 2: 1, 5: 1 << 40}.get(way, 5)
    assert probe(b"p" + bytes([way]) + q(number)) is None
    assert any(
        "SBF program panicked" in line or "abort" in line.lower() for line in probe.logs
    ), probe.logs


def test_program_runs_on_after_a_panic(probe):
    assert probe(b"p\0" + q(1)) is None
    assert probe(b"a" + bytes(200)) == bytes(200)
