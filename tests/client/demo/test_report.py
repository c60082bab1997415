import pytest

from flair_client.demo.datasets import load_dataset
from flair_client.demo.reference import Score
from flair_client.demo.report import Outcome, score_rows, write_report

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def outcome():
    dataset = load_dataset("breast-cancer")
    return Outcome(
        dataset=dataset,
        local={h.name: Score(0.9, 0.8, 0.4) for h in dataset.hospitals},
        federated=[Score(0.95, 0.9, 0.3), Score(0.97, 0.92, 0.2)],
        pooled=Score(0.99, 0.95, 0.1),
        without=Score(0.96, 0.91, 0.25),
        reverted="delft",
        repo="flair://localnet/<script>/model",
        head="ab" * 32,
        verified=["commit abab: recomputed"],
        compute_units={"update_push": (16, 11_000)},
        fee_lamports=5_000,
        rent_lamports=1_000_000,
        bytes_moved=123_456,
        round_seconds=[2.5, 3.5, 4.5],
        seconds=12.3,
    )


def test_report_shows_every_model_and_figure(outcome, tmp_path):
    page, figure = write_report(outcome, tmp_path)

    text = page.read_text()
    assert figure.read_bytes().startswith(PNG)
    for name, _ in score_rows(outcome):
        assert name.replace("'", "&#x27;") in text
    for part in ("123,456", "11,000", "0.970", "Mode public", "not\nunlearning"):
        assert part in text


def test_report_escapes_what_comes_from_outside(outcome, tmp_path):
    page, _ = write_report(outcome, tmp_path)

    assert "<script>" not in page.read_text()
