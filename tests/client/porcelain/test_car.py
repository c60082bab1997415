"""A commit with its history in one file: whole, the same everywhere, or refused."""

import io
import sys
import tracemalloc
from pathlib import Path

import pytest

from flair_client.encoding import encode_commit
from flair_client.encoding.car import encode_header
from flair_client.errors import (
    BlockMissing,
    CarInvalid,
    OutputExists,
    SignatureInvalid,
    StoreFull,
    UsageError,
)
from flair_client.ids import CODEC_RAW, CommitId
from flair_client.limits import MAX_RAW_BLOCK_SIZE
from flair_client.merging import Asked, make_spec
from flair_client.merging.record import record_of
from flair_client.objects import CommitKind
from flair_client.porcelain import car as car_verbs
from flair_client.porcelain import car_walk
from flair_client.porcelain.car import car_export, car_import, take_car
from flair_client.porcelain.car_walk import blocks_in_order
from flair_client.porcelain.checkout import manifest_of
from flair_client.porcelain.reading import Reading
from flair_client.store import DiskStore, MemoryStore
from flair_client.store.car import CarReader, write_car
from flair_client.testing_objects import make_cid, make_commit

sys.path.insert(0, str(Path(__file__).parent))
from car_world import Line


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def head(line):
    return line.merge(line.merge(line.root()))


def car_of(store, commit_id):
    out = io.BytesIO()
    write_car(out, commit_id.cid, blocks_in_order(store, commit_id))
    return out.getvalue()


def car(root, blocks):
    out = io.BytesIO()
    write_car(out, root.cid, blocks)
    return out.getvalue()


def take(raw, store=None):
    return take_car(
        MemoryStore() if store is None else store, CarReader(io.BytesIO(raw))
    )


def all_of(store):
    return {cid: store.get(cid) for cid in store}


def test_everything_behind_a_commit_goes_and_comes(line, head):
    there = MemoryStore()

    taken = take(car_of(line.store, head), there)

    assert all_of(there) == all_of(line.store)
    assert taken.commit == head
    # Root, two merges with two updates each.
    assert taken.n_commits == 7
    assert taken.n_blocks == taken.n_new == len(line.store)


def test_a_commit_is_exported_without_what_came_after(line):
    root = line.root()
    before = set(line.store)
    line.merge(root)

    assert {cid for cid, _ in blocks_in_order(line.store, root)} == before


def test_an_update_is_exported_with_its_base(line):
    update = line.update(line.root())

    assert {cid for cid, _ in blocks_in_order(line.store, update)} == set(line.store)


def test_each_block_comes_once_and_after_what_refers_to_it(line, head):
    blocks = list(blocks_in_order(line.store, head))

    assert blocks[0] == (head.cid, line.store.get(head.cid))
    assert len({cid for cid, _ in blocks}) == len(blocks)


def test_the_same_commit_gives_the_same_bytes(line, head, tmp_path):
    there = DiskStore(tmp_path)
    take(car_of(line.store, head), there)

    assert car_of(there, head) == car_of(line.store, head)


def test_taking_it_twice_changes_nothing(line, head):
    there = MemoryStore()
    take(car_of(line.store, head), there)
    before = all_of(there)

    assert take(car_of(line.store, head), there).n_new == 0
    assert all_of(there) == before


def merge_of_models(line, head, model, base):
    spec = make_spec(Asked("ties", [model], params={"density": "0.5"}, base=base))
    parents, record = record_of(spec, head)
    return line.commit(
        CommitKind.MERGE,
        parents=parents,
        weights=line.weights(),
        strategy=record,
        policy=None,
        round_index=None,
        events=line.events(),
    )


def test_models_that_were_merged_come_with_their_weights_not_their_history(line):
    model = line.merge(line.root())
    base = line.root()
    merge = merge_of_models(line, line.root(), model, base)
    there = MemoryStore()

    taken = take(car_of(line.store, merge), there)

    for one in (model, base):
        manifest = manifest_of(there, one)
        assert all(there.has(cid) for entry in manifest.tensors for cid in entry.blocks)
    assert taken.n_commits == 2


def test_a_commit_that_is_a_model_and_an_ancestor_is_both(line):
    root = line.root()
    merge = merge_of_models(line, line.merge(root), root, root)
    there = MemoryStore()

    assert take(car_of(line.store, merge), there).n_commits == 5
    assert all_of(there) == all_of(line.store)


# Hostile files.


def test_a_cut_file_is_refused_wherever_it_was_cut(line):
    whole = car_of(line.store, line.root())

    for size in (*range(150), *range(150, len(whole), 11)):
        with pytest.raises(CarInvalid):
            take(whole[:size])


def test_a_missing_block_is_named(line, head):
    blocks = list(blocks_in_order(line.store, head))

    for left_out in range(1, len(blocks)):
        rest = blocks[:left_out] + blocks[left_out + 1 :]
        with pytest.raises(CarInvalid) as caught:
            take(car(head, rest))
        # Where an object is missing, what it refers to comes unasked.
        assert "missing" in str(caught.value) or "refers to it" in str(caught.value)


def test_a_block_that_nothing_refers_to_is_refused(line, head):
    there = MemoryStore()
    extra = (MemoryStore().put(CODEC_RAW, b"smuggled"), b"smuggled")

    with pytest.raises(CarInvalid, match="nothing before it refers to it"):
        take(car(head, [*blocks_in_order(line.store, head), extra]), there)
    assert not there.has(extra[0])


def test_a_block_before_what_refers_to_it_is_refused(line, head):
    blocks = list(blocks_in_order(line.store, head))

    with pytest.raises(CarInvalid, match="nothing before it refers to it"):
        take(car(head, reversed(blocks)))


def test_a_block_that_comes_twice_is_refused(line, head):
    blocks = list(blocks_in_order(line.store, head))

    with pytest.raises(CarInvalid, match="it comes twice"):
        take(car(head, [*blocks, blocks[3]]))


def test_a_root_that_is_no_commit_is_refused(line):
    manifest = CommitId(line.weights().digest)

    with pytest.raises(CarInvalid, match="commit"):
        take(car(manifest, [(manifest.cid, line.store.get(manifest.cid))]))


@pytest.mark.parametrize(
    "roots", [(), (make_cid(1), make_cid(2)), (make_cid(1, CODEC_RAW),)]
)
def test_other_than_one_commit_is_refused(roots):
    with pytest.raises(CarInvalid, match="does not name one commit"):
        take(encode_header(roots))


def test_a_commit_that_its_author_did_not_sign_is_refused(line):
    root = line.root()
    forged = encode_commit(
        make_commit(CommitKind.UPDATE, parents=(root,), signature=bytes(64))
    )
    commit_id = CommitId(line.put(forged).digest)

    with pytest.raises(SignatureInvalid):
        take(car(commit_id, [(commit_id.cid, forged)]))


def test_a_raw_block_above_the_limit_is_refused(line):
    large = bytes(MAX_RAW_BLOCK_SIZE + 1)
    root = line.commit(
        CommitKind.ROOT,
        weights=line.weights(),
        recipe=line.recipe,
        events=line.events(),
        report=line.store.put(CODEC_RAW, large),
    )

    with pytest.raises(CarInvalid, match=f"it has {len(large)} bytes"):
        take(car_of(line.store, root))


def test_no_more_is_waited_for_than_can_be_remembered(line, head, monkeypatch):
    monkeypatch.setattr(car_walk, "MAX_WAITING", 3)

    with pytest.raises(CarInvalid, match="more than 3 blocks are referred to"):
        take(car_of(line.store, head))


def test_more_blocks_than_can_be_remembered_are_refused(line, head, monkeypatch):
    monkeypatch.setattr(car_walk, "MAX_BLOCKS", 5)

    with pytest.raises(CarInvalid, match="more than 5 blocks"):
        take(car_of(line.store, head))


# Cut off, and memory.


def test_what_was_taken_before_it_was_cut_off_is_not_taken_again(
    line, head, monkeypatch
):
    monkeypatch.setattr(car_verbs, "PART_BLOCKS", 4)
    whole = car_of(line.store, head)
    there = MemoryStore()
    with pytest.raises(CarInvalid):
        take(whole[: len(whole) // 2], there)
    kept = len(there)

    taken = take(whole, there)

    assert kept > 0
    assert kept % 4 == 0
    assert taken.n_new == taken.n_blocks - kept


def test_memory_does_not_grow_with_the_model(tmp_path):
    line = Line(DiskStore(tmp_path / "from"))
    root = line.root(size=12 << 20)  # 48 MiB
    path = tmp_path / "large.car"
    tracemalloc.start()
    try:
        with path.open("wb") as out:
            write_car(out, root.cid, blocks_in_order(line.store, root))
        with path.open("rb") as source:
            take_car(DiskStore(tmp_path / "to"), CarReader(source))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert path.stat().st_size > 48 << 20
    assert peak < 8 << 20


# The verbs.


def reading(line, head):
    return Reading(line.store, {"main": head}, head)


def test_a_file_is_written_whole_or_not_at_all(line, head, tmp_path):
    lost = next(cid for cid in line.store if cid.codec == CODEC_RAW)
    line.store.delete(lost)

    with pytest.raises(BlockMissing):
        car_export(reading(line, head), None, tmp_path / "x.car")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays(line, head, tmp_path):
    path = tmp_path / "x.car"
    path.write_bytes(b"mine")

    with pytest.raises(OutputExists):
        car_export(reading(line, head), "main", path)
    assert path.read_bytes() == b"mine"

    assert car_export(reading(line, head), "main", path, replace=True).n_bytes > 100


def test_a_full_disk_is_told(line, head):
    with pytest.raises((StoreFull, UsageError), match="/dev"):
        car_export(reading(line, head), None, Path("/dev/full/x.car"))


def test_a_file_is_taken_into_the_shared_store(line, head, tmp_path, as_):
    path = tmp_path / "x.car"
    car_export(reading(line, head), None, path)
    ctx = as_()
    object.__setattr__(ctx, "remote", DiskStore(tmp_path / "shared"))

    done = car_import(ctx, None, path, shared=True)

    assert (done.commit, done.shared) == (head, True)
    assert all_of(ctx.remote) == all_of(line.store)


def test_without_a_workspace_it_goes_nowhere(as_, tmp_path):
    with pytest.raises(UsageError, match="no workspace here"):
        car_import(as_(), None, tmp_path / "x.car")


def test_a_file_that_is_not_there_is_named(as_, tmp_path):
    with pytest.raises(UsageError, match=r"x\.car cannot be read"):
        car_import(as_(), None, tmp_path / "x.car", shared=True)
