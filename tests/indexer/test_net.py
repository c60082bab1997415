"""What many changes of rows come to, against carrying out one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from flair_indexer.changes import Put, Remove, Set
from flair_indexer.net import net_waves

KEYS = ("a", "b")
small = st.integers(0, 1)
rows = st.fixed_dictionaries({"a": small, "b": small, "x": small, "y": small})
where = st.one_of(
    st.fixed_dictionaries({"a": small, "b": small}),
    st.fixed_dictionaries({"a": small, "x": small}),
    st.fixed_dictionaries({"a": small, "b": small, "x": small}),
    st.fixed_dictionaries({"b": small}),
)
values = st.one_of(
    st.fixed_dictionaries({"x": small}),
    st.fixed_dictionaries({"y": small}),
    st.fixed_dictionaries({"x": small, "y": small}),
)
changes = st.one_of(
    st.builds(Put, st.just("t"), rows),
    st.builds(Set, st.just("t"), where, values),
    st.builds(Remove, st.just("t"), where),
)


def carried_out(held, change):
    """The rows afterwards, as a database would have them."""
    if isinstance(change, Put):
        key = tuple(change.values[name] for name in KEYS)
        return held | {key: change.values}
    after = {}
    for key, row in held.items():
        is_like = all(row[name] == value for name, value in change.where.items())
        if not is_like:
            after[key] = row
        elif isinstance(change, Set):
            after[key] = row | change.values
    return after


@given(st.lists(rows, max_size=4), st.lists(changes, max_size=12))
def test_waves_come_to_the_same_as_one_after_the_other(before, story):
    held = {(row["a"], row["b"]): row for row in before}
    wanted = held
    for change in story:
        wanted = carried_out(wanted, change)

    for wave in net_waves(story, KEYS):
        # Within a wave the order does not matter.
        for change in reversed(wave):
            held = carried_out(held, change)

    assert held == wanted


@given(st.lists(changes, max_size=12))
def test_a_wave_names_a_row_once(story):
    for wave in net_waves(story, KEYS):
        named = [
            tuple(sorted((one.values if isinstance(one, Put) else one.where).items()))
            for one in wave
        ]
        keys = [tuple((n, v) for n, v in one if n in KEYS) for one in named]
        whole = [one for one in keys if len(one) == len(KEYS)]
        alike = {type(one) for one in wave} if len(whole) < len(wave) else set()
        # Named by something else than the key: one kind, and not twice the same.
        assert len(alike) <= 1
        assert len(set(named)) == len(named)
        if not alike:
            assert len(set(whole)) == len(whole)


def test_an_update_that_is_pushed_merged_and_settled_is_written_once():
    key = {"a": 1, "b": 2}
    story = [
        Put("t", {**key, "x": 0, "y": 0}),
        Set("t", {"a": 1, "x": 0}, {"x": 1}),
        Set("t", key, {"x": 1, "y": 7}),
    ]

    early, late = net_waves(story, KEYS)

    # What an earlier unit of work wrote is merged, too.
    assert early == [story[1]]
    assert late == [Put("t", {**key, "x": 1, "y": 7})]
