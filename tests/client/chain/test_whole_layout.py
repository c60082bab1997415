"""A structure read at once gives what reading it field by field gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flair_client.chain import layout
from flair_client.chain.events import EVENT_KINDS, event_size
from flair_client.chain.layout import DISCRIMINATOR_SIZE, LayoutError, decode

KINDS = list(EVENT_KINDS.values())


def outcome(kind, raw):
    try:
        return decode(kind, raw)
    except LayoutError as exc:
        return str(exc)


@given(st.data())
def test_both_ways_agree_on_any_bytes(data):
    kind = data.draw(st.sampled_from(KINDS))
    size = event_size(kind) - DISCRIMINATOR_SIZE
    raw = data.draw(st.binary(min_size=size, max_size=size))
    # A schema that is known, so that the other fields are looked at, too.
    raw = b"\1" + raw[1:] if data.draw(st.booleans()) else raw

    at_once = outcome(kind, raw)
    kept = layout._WHOLES[kind]
    layout._WHOLES[kind] = None
    try:
        one_by_one = outcome(kind, raw)
    finally:
        layout._WHOLES[kind] = kept

    assert at_once == one_by_one


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: one.__name__)
def test_every_event_is_read_at_once(kind):
    whole = layout._whole(kind)

    assert whole is not None
    assert whole.struct.size == event_size(kind) - DISCRIMINATOR_SIZE
