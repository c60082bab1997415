"""docs/protocol.md tables what the schemas say, word for word."""

from pathlib import Path

import pytest

from flair_client import limits
from flair_client.encoding.tables import TABLED, kinds_table, record_table

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"


@pytest.mark.parametrize("record", TABLED, ids=lambda record: record.cls.__name__)
def test_a_record_is_tabled(record):
    assert record_table(record) in PROTOCOL.read_text(encoding="utf-8")


def test_the_kinds_are_tabled():
    assert kinds_table() in PROTOCOL.read_text(encoding="utf-8")


def test_the_limits_are_those_of_the_table():
    assert limits.MAX_RAW_BLOCK_SIZE == 1 << 20
    assert limits.MAX_OBJECT_SIZE == 2 << 20
    assert limits.MAX_COMMIT_SIZE == limits.MAX_RECIPE_SIZE == 64 << 10
    assert limits.MAX_TENSOR_SIZE == 256 << 30
    assert limits.MAX_SAFETENSORS_HEADER_SIZE == 100_000_000
