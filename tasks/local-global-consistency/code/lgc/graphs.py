"""Graphs of the points, and the matrices that spread labels over them."""

from __future__ import annotations

import numpy as np

from lgc.arrays import FloatArray
from lgc.distances import dissimilarities


def affinity(
    X: FloatArray, width: float, kind: str = "euclidean", neighbours: int = 0
) -> FloatArray:
    distances = dissimilarities(X, X, kind)
    W = np.exp(-distances / (2.0 * width**2))
    np.fill_diagonal(W, 0.0)
    if neighbours:
        others = distances.copy()
        np.fill_diagonal(others, np.inf)
        nearest = np.argsort(others, axis=1, kind="stable")[:, :neighbours]
        kept = np.zeros(W.shape, dtype=bool)
        np.put_along_axis(kept, nearest, True, axis=1)
        W = np.where(kept | kept.T, W, 0.0)
    return W


def propagation_matrix(W: FloatArray, kind: str = "symmetric") -> FloatArray:
    degrees = W.sum(axis=1)
    if kind == "symmetric":
        roots = np.sqrt(degrees)
        return W / (roots[:, None] * roots)
    walk = W / degrees[:, None]
    return walk.T if kind == "transpose" else walk
