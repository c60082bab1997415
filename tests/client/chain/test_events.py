import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.chain.events import (
    EVENT_KINDS,
    EventHeader,
    RoundClosed,
    decode_event,
    encode_event,
    event_block,
    event_root,
    event_size,
)
from flair_client.chain.layout import size_of
from flair_client.errors import ObjectInvalid
from flair_client.ids import Address, Digest

CLOSED = RoundClosed(
    repo=Address(b"\1" * 32),
    repo_seq=7,
    prev_root=Digest(b"\2" * 32),
    unix_timestamp=-5,
    actor=Address(b"\3" * 32),
    branch=Address(b"\4" * 32),
    round_index=8,
    n_accepted=4,
    weight_sum=640,
)


def test_the_header_has_the_size_of_the_protocol():
    assert size_of(EventHeader) == 121


def test_an_event_has_the_bytes_of_the_protocol():
    # By hand, from the tables in docs/protocol.md.
    expected = (
        hashlib.sha256(b"event:RoundClosed").digest()[:8]
        + b"\1"
        + b"\1" * 32
        + (7).to_bytes(8, "little")
        + b"\2" * 32
        + (-5).to_bytes(8, "little", signed=True)
        + b"\3" * 32
        + bytes(8)
        + b"\4" * 32
        + (8).to_bytes(8, "little")
        + (4).to_bytes(2, "little")
        + (640).to_bytes(4, "little")
    )

    assert encode_event(CLOSED) == expected
    assert decode_event(expected) == CLOSED
    assert len(expected) == event_size(RoundClosed)


def test_the_root_is_the_digest_of_the_stored_block():
    raw = encode_event(CLOSED)

    assert event_block(raw) == b"flair-event-v1\n" + raw
    assert event_root(raw).raw == hashlib.sha256(b"flair-event-v1\n" + raw).digest()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ObjectInvalid, match="unknown kind"):
        decode_event(b"\0" * 8 + encode_event(CLOSED)[8:])


@pytest.mark.parametrize("change", [-1, 1])
def test_bytes_that_are_not_exactly_one_event_are_refused(change):
    raw = encode_event(CLOSED)

    with pytest.raises(ObjectInvalid, match="RoundClosed"):
        decode_event(raw[:change] if change < 0 else raw + b"\0")


def test_another_schema_is_refused():
    raw = bytearray(encode_event(CLOSED))
    raw[8] = 2

    with pytest.raises(ObjectInvalid, match="schema 2"):
        decode_event(bytes(raw))


@given(st.sampled_from(sorted(EVENT_KINDS)), st.data())
def test_hostile_bytes_are_refused_or_read_the_same_twice(name, data):
    size = event_size(EVENT_KINDS[name]) - 8
    body = data.draw(st.binary(min_size=size, max_size=size))
    raw = hashlib.sha256(b"event:" + name.encode()).digest()[:8] + b"\1" + body[1:]

    try:
        event = decode_event(raw)
    except ObjectInvalid:
        return

    # Reserved bytes are dropped; everything else is kept.
    again = encode_event(event)
    assert len(again) == len(raw)
    assert decode_event(again) == event
