"""The data sets, as they come."""

from __future__ import annotations

import numpy as np
from sklearn import datasets

from orf.arrays import FloatArray, IntArray

DATASETS = {
    "digits": datasets.load_digits,
    "breast_cancer": datasets.load_breast_cancer,
}


def load(name: str) -> tuple[FloatArray, IntArray]:
    """Features, shape (rows, features), and class of each row, counted from 0."""
    X, y = DATASETS[name](return_X_y=True)
    return np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.int64)
