"""Models as files: the same bytes, from any byte on, never a wrong one."""

import hashlib

import numpy as np
import pytest
import safetensors.numpy

from flair_client.encoding import encode_manifest
from flair_client.errors import DigestMismatch
from flair_client.ids import CODEC_DAG_CBOR
from flair_client.objects import CommitKind
from flair_client.testing_objects import make_manifest
from flair_client.weights import import_weights, roles_by_pattern

RNG = np.random.default_rng(5)
TENSORS = {
    "a": RNG.normal(size=(7, 5)).astype(np.float32),
    "b": RNG.normal(size=700_000).astype(np.float32),
    "scalar": np.float32(2.5).reshape(()),
    "z.empty": np.zeros((0, 3), np.float32),
}


@pytest.fixture
def model(world):
    made = world.model()
    manifest = make_manifest(world.store, TENSORS)
    cid = world.store.put(CODEC_DAG_CBOR, encode_manifest(manifest))
    made.commit(CommitKind.ROOT, weights=cid)
    made.manifest = manifest
    made.file = f"{made.path}/download/{made.head}.safetensors"
    return made


def from_tensors(world, path):
    """Asks for everything behind the header."""
    size = world.client.get(path, headers={"Range": "bytes=0-7"}).data
    start = 8 + int.from_bytes(size, "little")
    return world.client.get(path, headers={"Range": f"bytes={start}-"})


def test_a_download_is_what_was_committed(world, model):
    answer = world.client.get(model.file)

    found = safetensors.numpy.load(answer.data)
    assert {name: value.tobytes() for name, value in found.items()} == {
        name: value.tobytes() for name, value in TENSORS.items()
    }
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert "immutable" in answer.headers["Cache-Control"]
    assert model.head.short in answer.headers["Content-Disposition"]


def test_a_download_is_the_file_that_export_writes(world, model, tmp_path):
    """Of a first commit that is the uploaded file, byte for byte."""
    path = tmp_path / "uploaded.safetensors"
    shuffled = {name: np.asarray(one) for name, one in reversed(TENSORS.items())}
    safetensors.numpy.save_file(shuffled, path, metadata={"by": "somebody"})
    roles = roles_by_pattern([("train", ["*"])])
    manifest = import_weights(path, world.store, roles)
    cid = world.store.put(CODEC_DAG_CBOR, encode_manifest(manifest))
    commit = model.commit(weights=cid)

    answer = world.client.get(f"{model.path}/download/{commit}.safetensors")

    assert answer.data == path.read_bytes()


def test_a_download_goes_on_where_it_was_cut_off(world, model):
    whole = world.client.get(model.file).data
    tag = world.client.head(model.file).headers["ETag"]

    for start in (0, 1, 300, 1000, 1_500_000, len(whole) - 1):
        answer = world.client.get(
            model.file, headers={"Range": f"bytes={start}-", "If-Range": tag}
        )
        assert answer.status_code == 206
        assert answer.data == whole[start:], start
    part = world.client.get(model.file, headers={"Range": "bytes=5-1200000"})
    assert part.data == whole[5:1_200_001]
    last = world.client.get(model.file, headers={"Range": "bytes=-9"})
    assert last.data == whole[-9:]
    assert not tag.startswith("W/"), "only a strong tag may be resumed by"


def test_a_file_of_other_bytes_is_sent_whole(world, model):
    headers = {"Range": "bytes=10-", "If-Range": '"another"'}
    answer = world.client.get(model.file, headers=headers)

    assert answer.status_code == 200
    assert len(answer.data) == int(answer.headers["Content-Length"])


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("bytes=99999999-", 416),
        ("bytes=0-1,5-6", 200),
        ("lines=0-1", 200),
        ("bytes=x-", 200),
        ("bytes=" + "9" * 400 + "-", 416),
    ],
)
def test_strange_ranges(world, model, value, status):
    answer = world.client.get(model.file, headers={"Range": value})

    assert answer.status_code == status


def test_what_a_reader_has_is_not_sent_again(world, model):
    tag = world.client.head(model.file).headers["ETag"]

    answer = world.client.get(model.file, headers={"If-None-Match": tag})

    assert (answer.status_code, answer.data) == (304, b"")


def test_an_update_has_no_file(world, model):
    update = model.push(2)

    world.page(f"{model.path}/download/{update}.safetensors", 404)


def test_a_missing_first_block_is_told_in_words(world, model):
    entry = model.manifest.by_name()["a"]
    world.store.delete(entry.blocks[0])

    # The header is no block of its own: the first bytes are there.
    assert from_tensors(world, model.file).status_code == 404


def test_a_missing_later_block_cuts_the_file_off(world, model):
    entry = model.manifest.by_name()["b"]
    world.store.delete(entry.blocks[-1])
    sent = []

    with pytest.raises(Exception, match="is missing"):
        sent.extend(world.client.get(model.file, buffered=False).response)

    assert sum(map(len, sent)) < 2_800_000


def test_a_tensor_that_is_not_itself_never_ends(world, model):
    """Blocks are right, the tensor's own digest is not: its end is held back."""
    from dataclasses import replace

    from flair_client.ids import Digest

    entry = model.manifest.by_name()["a"]
    wrong = replace(entry, digest=Digest(hashlib.sha256(b"other").digest()))
    manifest = replace(model.manifest, tensors=(wrong,))
    cid = world.store.put(CODEC_DAG_CBOR, encode_manifest(manifest))
    commit = model.commit(weights=cid)
    path = f"{model.path}/download/{commit}.safetensors"

    answer = from_tensors(world, path)

    assert answer.status_code == 409


def test_a_store_that_lies_is_found_out(world, model):
    entry = model.manifest.by_name()["a"]
    block = world.store._blocks[entry.blocks[0]]
    world.store._blocks[entry.blocks[0]] = b"\x01" + block[1:]

    answer = from_tensors(world, model.file)

    assert answer.status_code == 404
    assert DigestMismatch.__name__ not in answer.text
