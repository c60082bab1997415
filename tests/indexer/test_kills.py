"""kill -9 in every phase, of a real process; the end is the same as if nothing was."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kill_child import told

from flair_indexer.run import PHASES, backfill

CHILD = Path(__file__).parent / "kill_child.py"
# (phase, how often it comes before the end); units of four, pages of five.
KILLS = [(phase, 1) for phase in PHASES if phase != "begin"]
KILLS += [("begin", 1), ("end of unit", 3), ("written", 2), ("fetch", 2)]


def run_child(url, phase, count, stage):
    return subprocess.run(
        [sys.executable, str(CHILD), url, phase, str(count), str(stage)],
        check=False,
        capture_output=True,
        timeout=300,
    )


@pytest.mark.parametrize(("phase", "count"), KILLS)
def test_an_indexer_that_was_killed_goes_on(tmp_path, phase, count):
    url = f"sqlite:///{tmp_path / 'index.sqlite'}"

    for stage in (0, 1):
        killed = run_child(url, phase, count, stage)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-800:]

    world = told(url, 2)
    backfill(world.indexer)
    assert world.is_whole()
    assert world.digests() == world.rebuilt(tmp_path)
    world.close()
