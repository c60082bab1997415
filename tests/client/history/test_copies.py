"""Copies of updates, by hand."""

import pytest

from flair_client.history.copies import copies, values_of
from flair_client.ids import Address, CommitId, Digest
from flair_client.objects import Delta, DeltaEncodingId, DeltaTensor

A, B = (b"a",), (b"b",)


@pytest.mark.parametrize(
    ("pushed", "expected"),
    [
        ([("x", A), ("y", B)], {}),
        ([("x", A), ("y", A)], {"y": "x"}),
        # All are copies of the first, not of one another.
        ([("x", A), ("y", B), ("z", A), ("w", A)], {"z": "x", "w": "x"}),
        # Zeros say nothing, and whoever has nothing to say need not have copied.
        ([("x", ()), ("y", ())], {}),
        ([], {}),
    ],
)
def test_the_first_is_the_origin(pushed, expected):
    assert copies(pushed) == expected


def delta(contributor, *digests, encoding=DeltaEncodingId.DENSE, norm_sq=5):
    return Delta(
        repo=Address(bytes(32)),
        branch="main",
        contributor=Address(bytes([contributor]) * 32),
        round_index=contributor,
        base=CommitId(bytes(32)),
        policy=Digest(bytes(32)),
        bits=13,
        scale_exp=-10,
        norm_sq=norm_sq,
        tensors=tuple(
            DeltaTensor(
                name=f"t{place}",
                shape=(2,),
                encoding=encoding,
                digest=Digest(bytes([digest]) * 32),
                blocks=(),
            )
            for place, digest in enumerate(digests)
        ),
    )


def test_neither_signer_nor_encoding_makes_it_another_one():
    mine, *others = list(DeltaEncodingId)

    assert values_of(delta(1, 7, 8, encoding=mine)) == values_of(
        delta(2, 7, 8, encoding=others[0])
    )


def test_every_tensor_counts():
    assert values_of(delta(1, 7, 8)) != values_of(delta(1, 7, 9))
    assert values_of(delta(1, 7, 8)) != values_of(delta(1, 8, 7))


def test_zeros_have_no_values():
    assert values_of(delta(1, 7, 8, norm_sq=0)) == ()
