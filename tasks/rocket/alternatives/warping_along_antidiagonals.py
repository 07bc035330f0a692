"""rocket/neighbours.py::dtw_distances: the whole table, filled along antidiagonals."""

import numpy as np
from rocket.arrays import FloatArray


def dtw_distances(left: FloatArray, right: FloatArray, band: int) -> FloatArray:
    size = left.shape[1]
    result = np.zeros((len(left), len(right)))
    for row, one in enumerate(left):
        table = np.full((size + 1, size + 1, len(right)), np.inf)
        table[0, 0] = 0.0
        for total in range(2 * size - 1):
            i = np.arange(max(0, total - size + 1), min(size, total + 1))
            i = i[np.abs(2 * i - total) <= band]
            j = total - i
            cost = (one[i, None] - right.T[j]) ** 2
            reached = np.stack([table[i, j], table[i, j + 1], table[i + 1, j]])
            table[i + 1, j + 1] = cost + reached.min(axis=0)
        result[row] = table[size, size]
    return result**0.5
