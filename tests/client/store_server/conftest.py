"""A store server in a thread of this process, over a chain in memory."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from server_world import World, serving


@pytest.fixture
def world(tmp_path):
    """A server; OWNER's repository, in which ALICE contributes."""
    made = World(tmp_path)
    with serving(made):
        yield made
        made.close()
