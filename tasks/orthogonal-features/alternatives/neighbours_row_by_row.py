"""orf/preparation.py::neighbour_bandwidth: a loop over rows, with differences and a full sort."""

import numpy as np
from orf.arrays import FloatArray, IntArray


def neighbour_bandwidth(X: FloatArray, sample: IntArray, rank: int) -> float:
    distances = []
    for row in sample:
        others = np.delete(X, row, axis=0)
        lengths = np.linalg.norm(others - X[row], axis=1)
        distances.append(np.sort(lengths)[rank - 1])
    return float(np.mean(distances))
