import hashlib
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from flair_client.encoding import decode_manifest, encode_manifest
from flair_client.errors import (
    BlockMissing,
    NotFinite,
    ObjectInvalid,
    StoreFull,
    UsageError,
)
from flair_client.ids import CODEC_RAW
from flair_client.objects import DType, Role, Source, TensorEncodingId
from flair_client.store import DiskStore, MemoryStore
from flair_client.testing_objects import make_digest, make_manifest
from flair_client.weights import (
    FingerprintCache,
    export_weights,
    fixed_parts,
    import_weights,
    load_fixed,
    load_tensor,
    roles_by_pattern,
)
from flair_client.weights.writing import FixedWriter
from flair_client.zstd_frames import compress

TRAIN = roles_by_pattern([("train", ["*"])])


def numbers(n, seed=1):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {
        "big": numbers(700_000).reshape(700, 1000),
        "half": numbers(5).astype(np.float16),
        "ids": np.arange(6, dtype=np.int64),
        "mask": np.array([True, False]),
        "none": np.zeros((0, 4), np.float32),
        "scalar": np.array(2.5, np.float64),
        "zeros": np.zeros(500_000, np.float32),
    }
    save_file(tensors, path, metadata={"trained": "here", "é": "ü"})
    return path


def test_a_root_comes_out_as_it_went_in(tmp_path, model, store):
    manifest = import_weights(model, store, TRAIN)

    export_weights(decode_manifest(encode_manifest(manifest)), store, tmp_path / "out")

    digests = [
        hashlib.sha256(p.read_bytes()).digest() for p in (model, tmp_path / "out")
    ]
    assert digests[0] == digests[1]


def test_entries_say_what_the_file_has(model, store):
    entries = import_weights(model, store, TRAIN).by_name()

    for name, values in load_file(model).items():
        entry = entries[name]
        assert entry.shape == values.shape
        assert entry.digest.raw == hashlib.sha256(values.tobytes()).digest()
        assert entry.role is (Role.TRAIN if entry.dtype.is_float else Role.FROZEN)
    assert entries["big"].encoding is TensorEncodingId.RAW
    assert len(entries["big"].blocks) == 3
    assert entries["zeros"].encoding is TensorEncodingId.ZSTD
    assert entries["none"].blocks == ()


def test_tensors_are_loaded_as_they_were(model, store):
    manifest = import_weights(model, store, TRAIN)

    for name, values in load_file(model).items():
        loaded = load_tensor(manifest, manifest.by_name()[name], store)
        assert loaded.dtype == values.dtype
        assert np.array_equal(loaded, values)


def test_the_number_of_threads_does_not_matter(model):
    manifests = [
        import_weights(model, MemoryStore(), TRAIN, jobs) for jobs in (1, 2, 7)
    ]

    assert manifests[0] == manifests[1] == manifests[2]


def test_equal_tensors_share_blocks(tmp_path, store):
    same = numbers(1000)
    save_file({"a": same, "b": same.copy()}, tmp_path / "m")

    manifest = import_weights(tmp_path / "m", store, TRAIN)

    assert manifest.tensors[0].blocks == manifest.tensors[1].blocks
    assert len(store) == 2  # the tensor and the header


def test_bf16_is_widened_exactly(tmp_path, store):
    bits = np.array([0x3F80, 0xC049, 0x0001], np.uint16)
    raw = bits.tobytes()
    header = b'{"w":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}'
    (tmp_path / "m").write_bytes(len(header).to_bytes(8, "little") + header + raw)

    manifest = import_weights(tmp_path / "m", store, TRAIN)
    export_weights(manifest, store, tmp_path / "out")

    values = load_tensor(manifest, manifest.tensors[0], store)
    assert values.tolist() == [1.0, -3.140625, 2.0**-133]
    assert (tmp_path / "out").read_bytes() == (tmp_path / "m").read_bytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [10, 600_000])
def test_weights_that_are_not_finite_are_named(tmp_path, store, bad, n):
    broken = numbers(n)
    broken[n // 2] = bad
    save_file({"fine": numbers(10), "broken": broken}, tmp_path / "m")

    with pytest.raises(NotFinite, match="tensor 'broken': 1 values are not finite"):
        import_weights(tmp_path / "m", store, TRAIN)
    assert not list(store)


def test_an_unknown_role_is_refused():
    with pytest.raises(ValueError, match="trian"):
        roles_by_pattern([("trian", ["*"])])


def test_roles_come_from_the_first_pattern_that_fits():
    role_of = roles_by_pattern(
        [("average", ["statistics.*"]), ("frozen", ["*.embed"]), ("train", ["*"])]
    )

    assert role_of("statistics.mean", DType.F32) is Role.AVERAGE
    assert role_of("x.embed", DType.F32) is Role.FROZEN
    assert role_of("x.weight", DType.F32) is Role.TRAIN
    assert role_of("x.steps", DType.I64) is Role.FROZEN
    assert roles_by_pattern([])("running_mean", DType.F32) is Role.LOCAL


def test_a_wrong_digest_of_the_whole_is_named(model, store):
    manifest = import_weights(model, store, TRAIN)
    entry = replace(manifest.by_name()["big"], digest=make_digest(1))

    with pytest.raises(ObjectInvalid, match="tensor 'big': its values have digest"):
        load_tensor(manifest, entry, store)


def test_a_missing_block_is_named(tmp_path, model, store):
    manifest = import_weights(model, store, TRAIN)
    gone = manifest.by_name()["big"].blocks[1]
    store.delete(gone)

    with pytest.raises(BlockMissing, match=str(gone)):
        export_weights(manifest, store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.safetensors"]


@pytest.mark.parametrize("encoding", [TensorEncodingId.RAW, TensorEncodingId.ZSTD])
@pytest.mark.parametrize("block", [b"", bytes(39), bytes(41), compress(bytes(1 << 26))])
def test_a_block_of_another_size_is_named(store, encoding, block):
    manifest = make_manifest(store, {"w": np.zeros(10, np.float32)})
    cid = store.put(CODEC_RAW, block)
    entry = replace(manifest.tensors[0], encoding=encoding, blocks=(cid,))

    with pytest.raises(ObjectInvalid, match="tensor 'w': a block"):
        load_tensor(manifest, entry, store)


def test_an_export_without_a_source_is_read_by_the_library(tmp_path, model, store):
    manifest = replace(import_weights(model, store, TRAIN), source=None)

    export_weights(manifest, store, tmp_path / "out")

    expected, actual = load_file(model), load_file(tmp_path / "out")
    assert expected.keys() == actual.keys()
    assert all(np.array_equal(expected[name], actual[name]) for name in expected)


def test_a_header_of_other_tensors_is_refused(tmp_path, model, store):
    manifest = import_weights(model, store, TRAIN)
    fewer = replace(manifest, tensors=manifest.tensors[1:])

    with pytest.raises(ObjectInvalid, match=r"manifest\.source: its tensors are not"):
        export_weights(fewer, store, tmp_path / "out")


def test_a_header_of_another_size_is_refused(tmp_path, model, store):
    manifest = import_weights(model, store, TRAIN)
    source = Source(header_size=5, blocks=manifest.source.blocks)

    with pytest.raises(ObjectInvalid, match=r"manifest\.source"):
        export_weights(replace(manifest, source=source), store, tmp_path / "out")


def test_an_export_into_no_folder_is_named(tmp_path, model, store):
    manifest = import_weights(model, store, TRAIN)

    with pytest.raises(UsageError, match="cannot write"):
        export_weights(manifest, store, tmp_path / "no" / "out")


def test_an_export_without_room_keeps_the_old_file(tmp_path, model, store, monkeypatch):
    manifest = import_weights(model, store, TRAIN)
    (tmp_path / "out").write_bytes(b"old")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StoreFull, match="no room for"):
        export_weights(manifest, store, tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2


def test_fixed_integers_come_back_in_parts(store):
    like = make_manifest(store, {"w": np.zeros(600_000, np.float32)}).tensors[0]
    fixed = np.random.default_rng(1).integers(-(2**40), 2**40, 600_000)
    writer = FixedWriter(like, -10, store)
    for at in range(0, fixed.size, 1 << 18):
        writer.write(fixed[at : at + (1 << 18)])
    entry = writer.finish()
    manifest = replace(make_manifest(store, {}), tensors=(entry,), scale_exp=-10)
    manifest = decode_manifest(encode_manifest(manifest))

    assert [p.size for p in fixed_parts(manifest, entry, -10, store)] == [
        1 << 18,
        1 << 18,
        600_000 - (1 << 19),
    ]
    assert np.array_equal(load_fixed(manifest, entry, -10, store), fixed)
    assert np.array_equal(load_fixed(manifest, entry, -12, store), fixed << 2)
    expected = np.ldexp(fixed.astype(np.float64), -34).astype(np.float32)
    assert np.array_equal(load_tensor(manifest, entry, store), expected)


def test_fixed_integers_with_another_digest_are_refused(store):
    like = make_manifest(store, {"w": np.zeros(3, np.float32)}).tensors[0]
    writer = FixedWriter(like, 0, store)
    writer.write(np.array([1, 2, 3]))
    entry = replace(writer.finish(), fixed_digest=make_digest(1))
    manifest = replace(make_manifest(store, {}), tensors=(entry,), scale_exp=0)

    with pytest.raises(ObjectInvalid, match="fixed_digest"):
        load_fixed(manifest, entry, 0, store)


class CountingStore(MemoryStore):
    def __init__(self):
        super().__init__()
        self.n_puts = 0

    def put(self, codec, block):
        self.n_puts += 1
        return super().put(codec, block)


def test_known_tensors_are_not_stored_again(tmp_path, model):
    store = CountingStore()
    first = import_weights(model, store, TRAIN, cache=FingerprintCache(tmp_path / "f"))
    store.n_puts = 0
    changed = load_file(model)
    changed["half"][0] += 1
    save_file(changed, tmp_path / "next")

    cache = FingerprintCache(tmp_path / "f")
    second = import_weights(tmp_path / "next", store, TRAIN, cache=cache)

    assert store.n_puts == 2  # the tensor and the header
    plain = import_weights(tmp_path / "next", MemoryStore(), TRAIN)
    assert second == plain
    assert second.by_name()["big"] == first.by_name()["big"]


def test_a_cache_does_not_trust_a_store_that_forgot(tmp_path, model):
    import_weights(model, MemoryStore(), TRAIN, cache=FingerprintCache(tmp_path / "f"))

    store = MemoryStore()
    cache = FingerprintCache(tmp_path / "f")
    manifest = import_weights(model, store, TRAIN, cache=cache)

    export_weights(manifest, store, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xa1\x61v\x01", b"\x01"])
def test_a_damaged_cache_is_an_empty_one(tmp_path, model, store, content):
    (tmp_path / "f").write_bytes(content)

    cache = FingerprintCache(tmp_path / "f")
    manifest = import_weights(model, store, TRAIN, cache=cache)

    assert manifest == import_weights(model, MemoryStore(), TRAIN)


def test_the_same_bytes_of_another_dtype_are_checked_again(tmp_path, store):
    # As integers these are fine; as floats they are NaN.
    save_file({"w": np.full(4, -1, np.int32)}, tmp_path / "ints")
    header = b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    (tmp_path / "floats").write_bytes(
        len(header).to_bytes(8, "little") + header + b"\xff" * 16
    )
    cache = FingerprintCache(tmp_path / "f")
    import_weights(tmp_path / "ints", store, TRAIN, cache=cache)

    with pytest.raises(NotFinite):
        import_weights(tmp_path / "floats", store, TRAIN, cache=cache)


IMPORT_AND_MEASURE = """
    import resource, sys
    from pathlib import Path
    from flair_client.store import DiskStore
    from flair_client.weights import export_weights, import_weights, roles_by_pattern
    store = DiskStore(Path(sys.argv[2]))
    roles = roles_by_pattern([("train", ["*"])])
    def anonymous():
        status = Path("/proc/self/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) >> 10
    before = anonymous()
    manifest = import_weights(Path(sys.argv[1]), store, roles)
    export_weights(manifest, store, Path(sys.argv[3]))
    print(anonymous() - before)
"""


def test_a_large_file_is_not_held_in_memory(tmp_path):
    save_file({"w": numbers(40_000_000)}, tmp_path / "m")
    code = textwrap.dedent(IMPORT_AND_MEASURE)
    paths = [tmp_path / name for name in ("m", "store", "out")]

    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert int(done.stdout) < 40  # MiB, of a file of 153
    assert paths[0].stat().st_size == paths[2].stat().st_size
    assert DiskStore(paths[1]).has(next(iter(DiskStore(paths[1]))))
