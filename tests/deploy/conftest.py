"""Worlds with repositories lie beside the tests of the command and of the indexer."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
for folder in (TESTS / "deploy", TESTS / "client" / "cli", TESTS / "indexer"):
    sys.path.insert(0, str(folder))
