import csv

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from flair_client.demo.datasets import load_dataset, write_csv
from flair_client.errors import DataError, UsageError
from flair_client.training.data import load_table


def test_breast_cancer_rows_go_to_one_hospital_each():
    bunch = load_breast_cancer()
    expected = np.column_stack([bunch.data, 1 - bunch.target])

    dataset = load_dataset("breast-cancer")
    dealt = np.concatenate(
        [np.concatenate([h.train, h.test]) for h in dataset.hospitals]
    )

    order, wanted = np.lexsort(dealt.T), np.lexsort(expected.T)
    np.testing.assert_array_equal(dealt[order], expected[wanted])


def test_breast_cancer_hospitals_differ_in_size_and_outcome():
    hospitals = load_dataset("breast-cancer").hospitals
    sizes = [h.train.shape[0] for h in hospitals]
    shares = [h.train[:, -1].mean() for h in hospitals]

    assert max(sizes) > 3 * min(sizes)
    assert max(shares) > 0.8
    assert min(shares) < 0.2


def test_all_values_lie_in_the_plausible_ranges():
    dataset = load_dataset("breast-cancer")
    low = np.array([column.min for column in dataset.columns])
    high = np.array([column.max for column in dataset.columns])

    for hospital in dataset.hospitals:
        inputs = hospital.train[:, :-1]
        assert ((inputs >= low) & (inputs <= high)).all()


def test_a_hospital_file_reads_back_equal(tmp_path):
    dataset = load_dataset("breast-cancer")
    rows = dataset.hospitals[0].train
    path = tmp_path / "aachen.csv"

    write_csv(path, dataset, rows)
    table = load_table(path, dataset.columns, dataset.target)

    np.testing.assert_array_equal(table.x, rows[:, :-1])
    np.testing.assert_array_equal(table.y, rows[:, -1])
    with path.open() as file:
        assert next(csv.reader(file))[-1] == "malignant"


def test_heart_disease_needs_its_folder():
    with pytest.raises(UsageError, match="--data"):
        load_dataset("heart-disease")


def test_heart_disease_refuses_other_files(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset("heart-disease", tmp_path)
    (tmp_path / "processed.cleveland.data").write_text("1,2\n")
    with pytest.raises(DataError, match="not the file that UCI publishes"):
        load_dataset("heart-disease", tmp_path)


def test_refuses_an_unknown_data_set():
    with pytest.raises(UsageError, match="breast-cancer, heart-disease"):
        load_dataset("mnist")
