"""The audit log holds, and shows what was changed in it."""

import json
import subprocess
import sys

import pytest

from flair_client.audit import AUDIT_FILE, AuditKind, read_audit, write_audit
from flair_client.chained_file import FIRST_PREV
from flair_client.errors import RecordDamaged


@pytest.fixture
def home(tmp_path):
    for n in range(4):
        write_audit(tmp_path, AuditKind.TRAIN, 100 + n, {"n": n, "none": None})
    return tmp_path


def test_an_empty_log(tmp_path):
    found = read_audit(tmp_path)

    assert (found.lines, found.last_digest) == ((), FIRST_PREV)


def test_lines_come_back_in_order(home):
    found = read_audit(home)

    assert [(line.seq, line.kind, line.time) for line in found.lines] == [
        (n + 1, "train", 100 + n) for n in range(4)
    ]
    assert found.lines[2].details == {"n": 2}
    assert found.last_digest == found.lines[-1].digest
    assert (home / AUDIT_FILE).stat().st_mode & 0o077 == 0


def change(path, at, edit):
    lines = path.read_bytes().splitlines(keepends=True)
    edit(lines, at)
    path.write_bytes(b"".join(lines))


def replace(lines, at):
    lines[at] = lines[at].replace(b'"n":', b'"m":')


def remove(lines, at):
    del lines[at]


def repeat(lines, at):
    lines.insert(at, lines[at])


def swap(lines, at):
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


def spoil(lines, at):
    lines[at] = b"gone\n"


def add_empty(lines, at):
    lines.insert(len(lines) + at + 1, b"\n")


def bury(lines, at):
    lines[at] = b"[" * 20_000 + b"\n"


@pytest.mark.parametrize(
    ("edit", "line"),
    [(replace, 3), (remove, 2), (repeat, 3), (swap, 2), (spoil, 3), (bury, 3)],
)
def test_a_changed_log_names_the_line(home, edit, line):
    change(home / AUDIT_FILE, 1, edit)

    with pytest.raises(RecordDamaged, match=f"line {line} ") as caught:
        read_audit(home)

    assert caught.value.line == line


def test_a_line_that_was_cut_off_stays_and_the_log_goes_on(home):
    path = home / AUDIT_FILE
    path.write_bytes(path.read_bytes()[:-20])

    write_audit(home, AuditKind.PUSH, 200, {})

    found = read_audit(home)
    assert [line.kind for line in found.lines] == [
        *["train"] * 3,
        "",
        "push",
    ]


@pytest.mark.parametrize("edit", [spoil, bury, add_empty])
def test_a_last_line_that_is_whole_and_no_line_of_ours_was_not_cut_off(home, edit):
    path = home / AUDIT_FILE
    change(path, -1, edit)
    damaged = path.read_bytes()

    with pytest.raises(RecordDamaged, match=r"line [45] is whole and not one"):
        read_audit(home)
    with pytest.raises(RecordDamaged, match=r"line [45] is whole and not one"):
        write_audit(home, AuditKind.PUSH, 200, {})

    assert path.read_bytes() == damaged


def test_writes_that_were_cut_off_one_after_the_other_stay(home):
    path = home / AUDIT_FILE
    path.write_bytes(path.read_bytes()[:-20] + b'\n{"det')

    assert [line.kind for line in read_audit(home).lines][-2:] == ["", ""]
    write_audit(home, AuditKind.PUSH, 200, {})

    assert [line.kind for line in read_audit(home).lines][-3:] == ["", "", "push"]


def test_a_line_that_lacks_only_its_newline_counts(home):
    path = home / AUDIT_FILE
    path.write_bytes(path.read_bytes()[:-1])

    write_audit(home, AuditKind.PUSH, 200, {})

    assert [line.kind for line in read_audit(home).lines][-2:] == ["train", "push"]


def test_what_was_cut_off_at_the_end_shows_against_a_noted_hash(home):
    before = read_audit(home).last_digest
    change(home / AUDIT_FILE, -1, remove)

    assert read_audit(home).last_digest != before


def test_each_line_names_the_hash_of_the_one_before(home):
    found = read_audit(home)
    raw = [json.loads(line) for line in (home / AUDIT_FILE).read_text().splitlines()]

    assert [line["prev"] for line in raw] == [
        FIRST_PREV,
        *(line.digest for line in found.lines[:-1]),
    ]


APPEND = """
import sys
from pathlib import Path
from flair_client.audit import AuditKind, write_audit
for n in range(20):
    write_audit(Path(sys.argv[1]), AuditKind.COMMIT, int(sys.argv[2]) + n, {})
"""


def test_two_processes_append_without_losing_a_line(tmp_path):
    others = [
        subprocess.Popen([sys.executable, "-c", APPEND, str(tmp_path), str(start)])
        for start in (0, 100)
    ]

    assert [other.wait() for other in others] == [0, 0]
    assert {line.time for line in read_audit(tmp_path).lines} == {
        *range(20),
        *range(100, 120),
    }


def test_a_full_disk_is_not_silent(home, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(OSError, match="No space"):
        write_audit(home, AuditKind.PUSH, 1, {})


def test_a_line_longer_than_what_is_read_from_the_end_is_followed_all_the_same(home):
    write_audit(home, AuditKind.TRAIN, 104, {"text": "x" * (1 << 18)})
    write_audit(home, AuditKind.TRAIN, 105, {})
    write_audit(home, AuditKind.TRAIN, 106, {"text": "y" * ((1 << 18) - 200)})
    write_audit(home, AuditKind.TRAIN, 107, {})

    assert [line.seq for line in read_audit(home).lines] == list(range(1, 9))
