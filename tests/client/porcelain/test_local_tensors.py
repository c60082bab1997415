"""Tensors that stay with a contributor, in what it trains from and what it exports."""

import numpy as np
import pytest
import safetensors.numpy

from flair_client.ids import CommitId
from flair_client.objects import Role
from flair_client.porcelain.local_tensors import keep_local, write_base, write_own
from flair_client.workspace import make_workspace

ROLES = {"w": Role.TRAIN, "mean": Role.LOCAL}
FIRST, SECOND = (CommitId(bytes([n]) * 32) for n in (1, 2))


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path / "model")


@pytest.fixture
def shared(tmp_path):
    return saved(tmp_path / "shared.safetensors", w=5, mean=0)


def saved(path, **values):
    arrays = {name: np.full(3, value, np.float32) for name, value in values.items()}
    safetensors.numpy.save_file(arrays, path)
    return path


def values(path):
    return {
        name: float(one[0]) for name, one in safetensors.numpy.load_file(path).items()
    }


def test_own_tensors_are_the_newest(workspace, shared, tmp_path):
    for base, mean in ((FIRST, 1), (SECOND, 2)):
        trained = saved(tmp_path / "update.safetensors", w=9, mean=mean)
        keep_local(workspace, base, trained, ROLES)

    write_own(workspace, shared, tmp_path / "own.safetensors")
    write_base(workspace, SECOND, shared, tmp_path / "base.safetensors")

    assert values(tmp_path / "own.safetensors") == {"w": 5, "mean": 2}
    # Training once more begins as the first time did.
    assert values(tmp_path / "base.safetensors") == {"w": 5, "mean": 1}


def test_a_clone_that_never_trained_has_none_of_its_own(workspace, shared, tmp_path):
    write_own(workspace, shared, tmp_path / "own.safetensors")

    assert (tmp_path / "own.safetensors").read_bytes() == shared.read_bytes()


def test_own_tensors_of_another_shape_are_left_alone(workspace, shared, tmp_path):
    other = tmp_path / "update.safetensors"
    arrays = {"w": np.zeros(3, np.float32), "mean": np.zeros(4, np.float32)}
    safetensors.numpy.save_file(arrays, other)
    keep_local(workspace, FIRST, other, ROLES)

    write_own(workspace, shared, tmp_path / "own.safetensors")

    assert values(tmp_path / "own.safetensors") == {"w": 5, "mean": 0}
