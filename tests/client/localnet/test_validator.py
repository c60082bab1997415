"""The whole line on a real node, where there is one."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "try-validator"
SKIPPED = 77


@pytest.mark.validator
@pytest.mark.skipif(
    not os.environ.get("FLAIR_TEST_VALIDATOR"),
    reason="takes three minutes; FLAIR_TEST_VALIDATOR names a validator to run it",
)
def test_the_line_runs_on_a_real_validator_and_costs_the_same():
    done = subprocess.run(
        [SCRIPT, "--json", "--quiet"], capture_output=True, text=True, check=False
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    real, ours = found["test-validator"], found["localnet"]
    assert (real["verified"], ours["verified"]) == (True, True)
    # Root, two merges, a revert.
    assert (real["commits"], ours["commits"]) == (4, 4)
    assert real["fees_lamports"] == ours["fees_lamports"]
    # The address of a proposed merge follows from its commit, and so from the time.
    for costs in (real, ours):
        assert len(costs["compute_units"].pop("merge_propose")) == 2
    assert real["compute_units"] == ours["compute_units"]


def test_without_a_validator_the_script_says_so(tmp_path):
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "FLAIR_TEST_VALIDATOR": "",
    }

    done = subprocess.run(
        [SCRIPT], capture_output=True, text=True, check=False, env=environment
    )

    assert done.returncode == SKIPPED
    assert "skipped: no solana-test-validator on PATH" in done.stdout
