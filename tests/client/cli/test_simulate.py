"""`flair simulate`: what people see, and what is refused."""

import numpy as np
import pytest


def test_a_table_of_accuracy_by_strategy_and_attack(flair):
    said = flair(
        "simulate",
        *("--strategy", "fedavg", "--strategy", "median"),
        *("--attack", "none", "--attack", "sign_flip", "--attack", "backdoor"),
        *("--rounds", 3),
    )

    assert said.code == 0
    first, header, fedavg, median, last = said.out.splitlines()
    assert first.startswith("accuracy on 170 rows of breast cancer")
    assert header.split() == ["STRATEGY", "NONE", "SIGN_FLIP", "BACKDOOR"]
    assert float(fedavg.split()[1]) > 0.8
    assert float(fedavg.split()[2]) < 0.5
    assert float(median.split()[2]) > 0.8
    assert "trigger" in last


def test_json_has_every_cell_and_why_a_strategy_refused(flair):
    said = flair(
        "--json",
        "simulate",
        *("--strategy", "krum", "--strategy", "fedavg", "--attack", "label_flip"),
        *("--contributors", 4, "--attackers", 2, "--rounds", 1),
    )

    found = said.line["result"]
    krum, fedavg = found["cells"]
    assert (krum["strategy"], krum["accuracy"]) == ("krum", None)
    assert 0 <= fedavg["accuracy"] <= 1
    assert found["refused"] == {
        "krum": "strategy 'krum' needs at least 7 updates (2f + 3 for f = 2), "
        "there are 4"
    }


def test_a_file_of_ones_own(flair, tmp_path):
    numbers = np.random.default_rng(1)
    x = numbers.standard_normal((120, 2))
    rows = [f"{a:.4f},{b:.4f},{int(a + b > 0)}" for a, b in x]
    rows[0] = f",{x[0][1]:.4f},{int(x[0].sum() > 0)}"
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["a,b,sick", *rows]))

    said = flair(
        *("simulate", "--data", path, "--target", "sick", "--attack", "none"),
        *("--strategy", "fedavg"),
    )

    assert said.code == 0
    assert "36 rows of rows.csv" in said.out
    assert float(said.out.splitlines()[-1].split()[-1]) > 0.8


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--attack", "bribe"), 2, "there is no attack 'bribe'; there are: none"),
        (("--strategy", "bulyan"), 2, "there is no strategy 'bulyan'; there are: fed"),
        (("--contributors", "1"), 2, "2 to 64 contributors"),
        (("--contributors", "65"), 2, "2 to 64 contributors"),
        (("--attackers", "10"), 2, "at least one contributor is honest"),
        (("--attackers", "-1"), 2, "at least one contributor is honest"),
        (("--rounds", "0"), 2, "at least one round"),
        (("--norm-bound", "0"), 2, "norm bound is above zero"),
        (("--target", "sick"), 2, "--data and --target go together"),
        (("--data", "no.csv", "--target", "sick"), None, "no.csv"),
    ],
)
def test_what_cannot_be_is_refused(flair, arguments, code, words):
    said = flair("simulate", *arguments)

    assert said.code != 0
    assert code is None or said.code == code
    assert words in said.err


def test_too_few_rows_are_named(flair, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,sick\n" + "\n".join(f"{n},{n % 2}" for n in range(12)))

    said = flair("simulate", "--data", path, "--target", "sick")

    assert said.code != 0
    assert "12 rows are too few for 10 contributors" in said.err
