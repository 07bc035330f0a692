"""lgc/graphs.py::affinity: distances as sums of squared differences, neighbours one by one."""

import numpy as np
from lgc.arrays import FloatArray


def affinity(
    X: FloatArray, width: float, kind: str = "euclidean", neighbours: int = 0
) -> FloatArray:
    size = len(X)
    d = np.empty((size, size))
    lengths = np.linalg.norm(X, axis=1)
    for i in range(size):
        if kind == "cosine":
            d[i] = 1.0 - (X / lengths[:, None]) @ (X[i] / lengths[i])
        else:
            d[i] = ((X - X[i]) ** 2).sum(axis=1)
    linked = ~np.eye(size, dtype=bool)
    if neighbours:
        linked[:] = False
        for i in range(size):
            nearest = [j for j in np.lexsort((np.arange(size), d[i])) if j != i]
            linked[i, nearest[:neighbours]] = True
            linked[nearest[:neighbours], i] = True
    return np.where(linked, np.exp(-0.5 * d / width**2), 0.0)
