"""Puts the builders on the path of these tests; one history for those that read."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "history"))
sys.path.insert(0, str(Path(__file__).parent))

from report_world import Told


@pytest.fixture(scope="module")
def told():
    return Told()
