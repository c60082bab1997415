"""What a recipe's code runs in: the environment, and templates of each framework."""

import mmap
import os
import platform
import subprocess
import sys
from importlib.util import find_spec

import pytest

from flair_client.porcelain.recipe_process import environment, template_of
from flair_client.training.sandbox import find_sandbox, keeping


def test_the_environment_has_nothing_of_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAIR_SECRET", "1")

    env = environment(2**32 + 7, tmp_path)

    assert "FLAIR_SECRET" not in env
    assert env["HOME"] == env["TMPDIR"] == str(tmp_path)
    assert env["PYTHONHASHSEED"] == "7"


@pytest.mark.skipif(find_sandbox() is None, reason="templates need namespaces")
@pytest.mark.parametrize("framework", ["", "numpy", "sklearn", "torch"])
def test_a_framework_is_fit_to_be_forked(framework, tmp_path):
    """It begins no thread, opens no file and shares no memory when it is imported."""
    if framework and find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    standing = keeping._Standing(template_of(framework), environment(1, tmp_path))
    try:
        assert standing.is_ready()
    finally:
        standing.end()


def test_a_framework_that_is_installed_anew_is_another_template(monkeypatch, tmp_path):
    library = tmp_path / "library_of_numbers.py"
    library.write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = template_of("library_of_numbers")
    assert before == template_of("library_of_numbers")

    os.utime(library, ns=(1, 1))

    assert template_of("library_of_numbers") != before
    assert template_of("numpy").stamp != before.stamp


_ASKS_AGAIN_AND_AGAIN = """
import resource
import numpy as np

def step():
    arrays = [np.ones(3 << 20, np.float32) for _ in range(3)]
    return sum(float(one[0]) for one in arrays)

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator")
def test_memory_that_a_step_gives_back_is_there_for_the_next_one(tmp_path):
    """Else each step asks the system for 36 MiB anew, and every page is a fault."""
    done = subprocess.run(
        [sys.executable, "-c", _ASKS_AGAIN_AND_AGAIN],
        env=environment(1, tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )

    n_pages_of_all_steps = 10 * 3 * (12 << 20) // mmap.PAGESIZE
    assert int(done.stdout) < n_pages_of_all_steps // 10
