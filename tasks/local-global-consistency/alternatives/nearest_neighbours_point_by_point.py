"""lgc/baselines.py::nearest_neighbours: squared differences, one point after the other."""

import numpy as np
from lgc.arrays import FloatArray, Labelled


def nearest_neighbours(X: FloatArray, labelled: Labelled, k: int) -> FloatArray:
    F = np.zeros(labelled.Y.shape)
    weights = [1.0 / rank for rank in range(1, k + 1)]
    for i, x in enumerate(X):
        near = sorted((float(((x - X[j]) ** 2).sum()), int(j)) for j in labelled.points)
        for weight, (_, j) in zip(weights, near, strict=False):
            F[i] += weight / sum(weights) * labelled.Y[j]
    return F
