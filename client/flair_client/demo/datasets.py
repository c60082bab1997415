"""Public clinical data, split over four hospitals.

Each data set gives the recipe's columns with plausible ranges and, per hospital, rows
to train on and rows to test on. Splits are fixed: every run sees the same rows.
"""

import csv
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flair_client.errors import DataError, DataUnreadable, UsageError
from flair_client.training.recipe import Column

TEST_SHARE = 0.34
SPLIT_SEED = 43


@dataclass(frozen=True, slots=True)
class Hospital:
    """One site's rows; the last column is the target, NaN means not measured.

    Attributes:
        name: also its wallet's and folder's name.
        train, test: shape [rows, columns + 1].
    """

    name: str
    train: npt.NDArray[np.float64]
    test: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set over four hospitals.

    Attributes:
        name: as `--dataset` takes it.
        title, source: for people, with the licence.
        target: what is predicted, 0 or 1.
    """

    name: str
    title: str
    source: str
    target: str
    columns: tuple[Column, ...]
    hospitals: tuple[Hospital, ...]


# Upper ends of plausible ranges of the ten measurements of a cell nucleus, as (mean,
# standard error, worst); all begin at 0. Units as in the data set: pixels and ratios.
_NUCLEUS = {
    "radius": (40.0, 4.0, 50.0),
    "texture": (50.0, 6.0, 60.0),
    "perimeter": (250.0, 30.0, 300.0),
    "area": (3000.0, 600.0, 5000.0),
    "smoothness": (0.2, 0.04, 0.3),
    "compactness": (0.5, 0.2, 1.2),
    "concavity": (0.6, 0.5, 1.5),
    "concave points": (0.3, 0.08, 0.4),
    "symmetry": (0.4, 0.1, 0.8),
    "fractal dimension": (0.12, 0.04, 0.25),
}
# Share of the rows and taste of each hospital: a positive taste prefers large nuclei.
_SITES = (
    ("aachen", 0.40, 0.0),
    ("bergen", 0.30, 1.5),
    ("coimbra", 0.20, -1.5),
    ("delft", 0.10, 3.0),
)


def _breast_cancer(_: Path | None) -> Dataset:
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    names = [str(name) for name in bunch.feature_names]
    columns = []
    for name in names:
        kind = 0 if name.startswith("mean ") else 2 if name.startswith("worst ") else 1
        stem = name.removeprefix("mean ").removeprefix("worst ").removesuffix(" error")
        columns.append(Column(name.replace(" ", "_"), 0.0, _NUCLEUS[stem][kind]))
    # The set codes 0 as malignant; the model is to find the malignant ones.
    rows = np.column_stack([bunch.data, 1 - bunch.target]).astype(np.float64)
    return Dataset(
        name="breast-cancer",
        title="Breast Cancer Wisconsin (Diagnostic)",
        source="569 biopsies; Wolberg, Mangasarian, Street, Street 1995; CC BY 4.0",
        target="malignant",
        columns=tuple(columns),
        hospitals=_uneven(rows),
    )


def _uneven(rows: npt.NDArray[np.float64]) -> tuple[Hospital, ...]:
    """Deals rows to sites of different size and taste, each row once.

    Every site draws without replacement; a row's chance grows with `exp(taste · z)`,
    where z is the first column's standard score. So sites differ in size, inputs and
    outcome.
    """
    rng = np.random.Generator(np.random.PCG64(SPLIT_SEED))
    z = (rows[:, 0] - rows[:, 0].mean()) / rows[:, 0].std()
    left = np.arange(rows.shape[0])
    hospitals = []
    # Choosy and small sites draw first; the largest takes what is left.
    for name, share, taste in reversed(_SITES):
        n = left.size if name == _SITES[0][0] else round(share * rows.shape[0])
        chance = np.exp(taste * z[left])
        taken = rng.choice(left, size=n, replace=False, p=chance / chance.sum())
        left = np.setdiff1d(left, taken)
        hospitals.append(_split(name, rows[np.sort(taken)]))
    return tuple(reversed(hospitals))


def _split(name: str, rows: npt.NDArray[np.float64]) -> Hospital:
    """Sets aside 34 % as test rows, stratified where each class has over two rows."""
    from sklearn.model_selection import train_test_split

    y = rows[:, -1].astype(np.int64)
    stratify = y if min(np.bincount(y, minlength=2)) > 2 else None
    train, test = train_test_split(
        rows, test_size=TEST_SHARE, random_state=SPLIT_SEED, stratify=stratify
    )
    return Hospital(name, train, test)


# The four files as the UCI repository publishes them, and their sha-256.
_HEART_FILES = {
    "cleveland": "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8",
    "hungarian": "d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796",
    "switzerland": "834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314",
    "va": "e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f",
}
# name, index in the file, plausible range
_HEART_NUMBERS = (
    ("age", 0, 18.0, 100.0),
    ("sex", 1, 0.0, 1.0),
    ("resting_blood_pressure", 3, 60.0, 220.0),
    ("cholesterol", 4, 0.0, 610.0),
    ("fasting_blood_sugar_high", 5, 0.0, 1.0),
    ("maximum_heart_rate", 7, 50.0, 230.0),
    ("exercise_angina", 8, 0.0, 1.0),
    ("st_depression", 9, -3.0, 7.0),
)
# name, index in the file, the value that makes it 1
_HEART_CLASSES = (
    ("chest_pain_2", 2, 2.0),
    ("chest_pain_3", 2, 3.0),
    ("chest_pain_4", 2, 4.0),
    ("resting_ecg_1", 6, 1.0),
    ("resting_ecg_2", 6, 2.0),
)
_HEART_USED = 10
_HEART_FIELDS = 14


def _heart_disease(folder: Path | None) -> Dataset:
    """The four hospitals by the protocol of FLamby's Fed-Heart-Disease.

    Columns 10 to 12 are left out, then rows with a missing value; 740 rows stay.
    """
    if folder is None:
        raise UsageError(
            "the heart-disease data set needs --data with the folder of its files"
        )
    columns = tuple(Column(name, low, high) for name, _, low, high in _HEART_NUMBERS)
    columns += tuple(Column(name, 0.0, 1.0) for name, _, _ in _HEART_CLASSES)
    return Dataset(
        name="heart-disease",
        title="UCI Heart Disease, four hospitals",
        source="Janosi, Steinbrunn, Pfisterer, Detrano 1988; CC BY 4.0",
        target="disease",
        columns=columns,
        hospitals=tuple(
            _split(site, _heart_rows(folder / f"processed.{site}.data", digest))
            for site, digest in _HEART_FILES.items()
        ),
    )


def _heart_rows(path: Path, digest: str) -> npt.NDArray[np.float64]:
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise DataUnreadable(f"{path} cannot be read: {exc.strerror}") from exc
    actual = hashlib.sha256(raw).hexdigest()
    if actual != digest:
        raise DataError(
            f"{path} is not the file that UCI publishes: its sha-256 is {actual}"
        )
    rows = []
    for cells in csv.reader(raw.decode("ascii").splitlines()):
        if len(cells) != _HEART_FIELDS or "?" in cells[:_HEART_USED]:
            continue
        values = [float(cell) for cell in cells[:_HEART_USED]]
        numbers = [values[place] for _, place, _, _ in _HEART_NUMBERS]
        classes = [float(values[place] == value) for _, place, value in _HEART_CLASSES]
        rows.append([*numbers, *classes, float(float(cells[-1]) > 0)])
    return np.array(rows)


_DATASETS: Mapping[str, Callable[[Path | None], Dataset]] = {
    "breast-cancer": _breast_cancer,
    "heart-disease": _heart_disease,
}
DATASET_NAMES = tuple(_DATASETS)


def load_dataset(name: str, folder: Path | None = None) -> Dataset:
    """The data set of a name.

    Raises:
        UsageError: no such data set, or it needs a folder.
        DataError: a file is missing or not the published one.
    """
    if name not in _DATASETS:
        raise UsageError(
            f"{name!r} is not a data set; there are {', '.join(_DATASETS)}"
        )
    return _DATASETS[name](folder)


def write_csv(path: Path, dataset: Dataset, rows: npt.NDArray[Any]) -> None:
    """Writes rows as a hospital's file: a header, then numbers that read back equal."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(column.name for column in dataset.columns), dataset.target])
        for row in rows:
            cells = ["" if np.isnan(cell) else repr(float(cell)) for cell in row[:-1]]
            writer.writerow([*cells, int(row[-1])])
