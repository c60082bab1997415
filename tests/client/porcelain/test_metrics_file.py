"""The file of figures is only ever appended to, also after a line that was cut off."""

import json

import pytest

from flair_client.ids import CommitId
from flair_client.porcelain.metrics_file import (
    Evaluated,
    append_evaluation,
    last_evaluated,
    last_metrics,
    read_evaluations,
)
from flair_client.workspace import make_workspace

ONE, TWO = CommitId(b"\1" * 32), CommitId(b"\2" * 32)


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path)


def path(workspace):
    return workspace.state_folder / "metrics.jsonl"


def test_the_last_line_tells_what_was_measured_last(workspace):
    assert last_evaluated(workspace) is None
    append_evaluation(workspace, 7, Evaluated(ONE, "main", 40, {"auc": 0.5}))
    append_evaluation(workspace, 8, Evaluated(TWO, "main", 40, {}))

    assert last_evaluated(workspace) == TWO
    lines = [json.loads(line) for line in path(workspace).read_text().splitlines()]
    assert [line["commit"] for line in lines] == [str(ONE), str(TWO)]
    assert lines[0]["metrics"] == {"auc": 0.5}


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_that_was_cut_off_does_not_count_and_is_not_continued(workspace, cut):
    append_evaluation(workspace, 7, Evaluated(ONE, "main", 40, {}))
    append_evaluation(workspace, 8, Evaluated(TWO, "main", 40, {}))
    whole = path(workspace).read_bytes()
    path(workspace).write_bytes(whole[:-cut])
    assert last_evaluated(workspace) is None
    append_evaluation(workspace, 9, Evaluated(TWO, "main", 40, {}))

    assert last_metrics(workspace)["time"] == 9


@pytest.mark.parametrize("text", ["[]\n", "{}\n", '{"commit": 7}\n', "no json\n", "\n"])
def test_a_line_of_somebody_else_does_not_count(workspace, text):
    path(workspace).write_text(text)

    assert last_evaluated(workspace) is None


def test_the_longest_line_that_code_can_bring_about_counts(workspace):
    names = [chr(0x1F600) * 125 + f"{index:03}" for index in range(256)]
    found = Evaluated(ONE, "main", 40, dict.fromkeys(names, -1.2345678901234567e-300))
    append_evaluation(workspace, 7, found)

    assert last_evaluated(workspace) == ONE


def test_every_whole_line_is_read_and_others_are_passed_by(workspace):
    append_evaluation(workspace, 7, Evaluated(ONE, "main", 40, {"auc": 0.5}, "icu"))
    # As it was written before lines said which data they are of.
    old = {"time": 8, "commit": str(TWO), "branch": "main", "num_samples": 4}
    lines = [
        json.dumps(old | {"metrics": {"auc": 0.25}}),
        json.dumps(old | {"metrics": [1]}),
        json.dumps(old | {"metrics": {"auc": "x"}}),
        "no json",
    ]
    with path(workspace).open("a") as file:
        file.write("\n".join(lines) + "\n" + '{"cut')

    found = read_evaluations(workspace)

    assert [(one.commit, one.data) for one in found] == [(ONE, "icu"), (TWO, "")]
    assert found[1].metrics == {"auc": 0.25}
