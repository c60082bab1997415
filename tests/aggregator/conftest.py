"""Puts the builder of histories on the path of these tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "client" / "history"))
