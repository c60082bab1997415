"""`flair report` as people type it, against a localnet."""

import pytest
from work_world import ROWS, running_net, shifted


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def model(owner):
    """A repository with a root and a snapshot; gives its workspace and address."""
    (owner.folder / "rows.csv").write_text(ROWS)
    owner.json("init", "heart", "--columns-from", "rows.csv", "--no-statistics")
    folder = owner.folder / "heart"
    flags = ("--open", "--min-updates", 1)
    made = owner.json("repo", "create", "heart", *flags, cwd=folder)
    tuned = shifted(folder / "weights.safetensors", owner.folder / "t.safetensors")
    owner.json(
        *("commit", "--snapshot", "-m", "<b>tuned</b>", "--weights", tuned), cwd=folder
    )
    owner.json("push", cwd=folder)
    return folder, made["repo"]


@pytest.fixture
def flair(owner, model):
    folder, _ = model
    yield lambda *words: owner(*words, cwd=folder)
    (folder / "flair-report.html").unlink(missing_ok=True)


def test_a_page_is_written_and_not_over_another_one(model, flair):
    folder, _ = model
    file = folder / "flair-report.html"

    said = flair("report")

    assert said.code == 0, said.err
    assert "flair-report.html" in said.out
    page = file.read_text()
    assert page.startswith("<!doctype html>")
    assert "&lt;b&gt;tuned&lt;/b&gt;" in page
    again = flair("report")
    assert again.code == 2
    assert "flair-report.html" in again.err
    assert file.read_text() == page
    assert flair("report", "--force").code == 0


def test_json_has_the_same_and_writes_a_file_only_where_asked(model, flair, tmp_path):
    folder, _ = model

    found = flair("report", "--json").result

    assert not (folder / "flair-report.html").exists()
    assert [one["kind"] for one in found["graph"]] == ["snapshot", "root"]
    assert found["changes"]["n_changed"] == 2
    assert found["head"] == found["line"][0]
    file = tmp_path / "deep" / "page.html"
    assert flair("report", "--json", "-o", file).code == 0
    assert found["head"] in file.read_text()


def test_the_owners_rows_are_measured_once(model, flair, owner):
    rows = owner.folder / "rows.csv"

    found = flair("report", "--json", "--data", rows).result

    series = {one["name"]: one for one in found["series"]}
    assert len(series["log_loss"]["points"]) == 2
    assert found["effects"][0]["before"] is not None
    # What was measured stays, so a report without rows shows it too.
    assert flair("report", "--json").result["series"] == found["series"]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("HEAD..HEAD~1",), 2, "not before"),
        (("nothing",), 1, "nothing"),
        (("-n", 0), 2, "max-count"),
        (("--data", "gone.csv"), 2, "gone.csv"),
        (("-o", "."), 2, "directory"),
    ],
)
def test_what_cannot_be_reported_is_told(flair, words, code, part):
    said = flair("report", *words)

    assert (said.code, part in said.err) == (code, True), said.err


def test_a_span_and_a_stranger_at_an_address(model, flair, net, tmp_path):
    _, address = model
    assert len(flair("report", "HEAD~1..HEAD", "--json").result["line"]) == 1
    stranger = net.person("stranger")

    found = stranger.json("report", address)

    assert found["title"].startswith(address)
    assert {one["validity"] for one in found["graph"]} == {"signed"}
    refused = stranger("report", address, "--data", "rows.csv")
    assert refused.code == 2
    assert "clone" in refused.err
