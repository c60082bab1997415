"""Copies, fills and comparisons of every size, against Python's byte strings."""

import random
import struct

import pytest

pytestmark = pytest.mark.sbf

LENGTHS = (1, 2, 3, 7, 8, 15, 16, 31, 33, 63, 64, 65, 72, 100, 128, 200)


def moved(data: bytes, to: int, start: int, length: int) -> bytearray:
    out = bytearray(data)
    out[to : to + length] = data[start : start + length]
    return out


def test_functions_with_lengths_known_late(probe):
    rng = random.Random("variable")
    for size in (2, 16, 63, 64, 65, 200, 600):
        for _ in range(12):
            length = rng.choice([0, 1, size // 2, rng.randint(0, size)])
            to, start = (rng.randint(0, size - length) for _ in range(2))
            data, fill = (
                rng.choice([rng.randbytes(size), bytes(size)]),
                rng.randrange(256),
            )
            out = moved(data, to, start, length)
            half = size // 2
            head, tail = bytes(out[:half]), bytes(out[half : 2 * half])
            order = (head > tail) - (head < tail)
            shorter = min(length, half)
            same = head[:shorter] == tail[:shorter]
            out[:shorter] = bytes([fill]) * shorter
            out += bytes([order & 255, same])
            answer = probe(b"m" + struct.pack("<HHHB", to, start, length, fill) + data)
            assert answer == out, (size, to, start, length)


def test_functions_with_lengths_known_early(probe):
    rng = random.Random("constant")
    for data in (rng.randbytes(400), bytes(400), bytes(range(200)) * 2):
        fill = rng.randrange(256)
        out = bytearray(data)
        for n in LENGTHS:
            out[:n] = out[1 : 1 + n]
            out[2 : 2 + n] = out[:n]
            out[3 : 3 + n // 2] = bytes([fill]) * (n // 2)
            out.append(out[:n] < out[100 : 100 + n])
            out.append(out[:n] == out[1 : 1 + n])
        assert probe(b"k" + bytes([fill]) + data) == out


def test_value_is_assigned_to_itself(probe):
    data = random.Random("assign").randbytes(200)
    assert probe(b"a" + data) == data
