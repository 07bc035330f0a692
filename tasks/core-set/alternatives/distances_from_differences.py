"""coreset/features.py::pairwise_distances: norms of the differences, row by row."""

import numpy as np
from coreset.arrays import FloatArray


def pairwise_distances(A: FloatArray, B: FloatArray) -> FloatArray:
    distances = np.zeros((len(A), len(B)))
    for number, row in enumerate(A):
        distances[number] = np.linalg.norm(B - row, axis=1)
    return distances
