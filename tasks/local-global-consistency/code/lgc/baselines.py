"""The methods that the consistency method is compared with."""

from __future__ import annotations

import numpy as np

from lgc.arrays import FloatArray, Labelled
from lgc.distances import dissimilarities

SWEEPS = 2000
PRECISION = 1e-8


def harmonic(W: FloatArray, labelled: Labelled) -> FloatArray:
    free = np.ones(len(W), dtype=bool)
    free[labelled.points] = False
    rows = W[free]
    laplacian = np.diag(rows.sum(axis=1)) - rows[:, free]
    pull = rows[:, ~free] @ labelled.Y[~free]
    F = labelled.Y.copy()
    F[free] = np.linalg.solve(laplacian, pull)
    return F


def class_mass_normalisation(F: FloatArray, labelled: Labelled) -> FloatArray:
    free = np.ones(len(F), dtype=bool)
    free[labelled.points] = False
    counts = labelled.Y.sum(axis=0) + 1.0
    proportions = counts / counts.sum()
    masses = F[free].sum(axis=0) / F[free].sum()
    scaled = F[free] * proportions / masses
    result = labelled.Y.copy()
    result[free] = scaled / scaled.sum(axis=1, keepdims=True)
    return result


def nearest_neighbours(X: FloatArray, labelled: Labelled, k: int) -> FloatArray:
    classes = labelled.Y[labelled.points]
    distances = dissimilarities(X, X[labelled.points])
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    votes = np.zeros((len(X), classes.shape[1]))
    for place in range(k):
        votes += classes[nearest[:, place]] / (place + 1.0)
    return votes / votes.sum(axis=1, keepdims=True)


def support_vectors(X: FloatArray, labelled: Labelled, width: float, box: float) -> FloatArray:
    distances = dissimilarities(X, X[labelled.points])
    kernel = np.exp(-distances / (2.0 * width**2))
    gram = kernel[labelled.points]
    signs = 2.0 * labelled.Y[labelled.points] - 1.0
    dual = np.zeros(signs.shape)
    for _ in range(SWEEPS):
        largest = 0.0
        for i, row in enumerate(gram):
            slope = signs[i] * (row @ (dual * signs)) - 1.0
            new = np.clip(dual[i] - slope / row[i], 0.0, box)
            largest = max(largest, float(np.abs(new - dual[i]).max()))
            dual[i] = new
        if largest < PRECISION:
            break
    return kernel @ (dual * signs)
