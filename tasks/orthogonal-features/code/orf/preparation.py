"""Scaling of the features and the bandwidth of the kernel."""

from __future__ import annotations

import numpy as np

from orf.arrays import FloatArray, IntArray

CLIP = 3.0
"""Standardised features are kept within this many standard deviations."""


def standardise(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both parts on the scale of the training part."""
    varies = train.max(axis=0) > train.min(axis=0)
    kept = train[:, varies]
    shift = kept.mean(axis=0)
    scale = np.sqrt(((kept - shift) ** 2).mean(axis=0))
    parts = []
    for part in (kept, test[:, varies]):
        scaled = (part - shift) / scale
        parts.append(np.clip(scaled, -CLIP, CLIP))
    return parts[0], parts[1]


def squared_distances(X: FloatArray, Y: FloatArray) -> FloatArray:
    """Squared Euclidean distance of each row of X to each row of Y."""
    squares = (X**2).sum(axis=1)[:, None] + (Y**2).sum(axis=1) - 2.0 * X @ Y.T
    return np.maximum(squares, 0.0)


def neighbour_bandwidth(X: FloatArray, sample: IntArray, rank: int) -> float:
    """Mean distance of the sampled rows to their neighbour of a rank."""
    squares = squared_distances(X[sample], X)
    squares[np.arange(len(sample)), sample] = np.inf
    ordered = np.sort(squares, axis=1)
    nearest = ordered[:, rank - 1]
    return float(np.sqrt(nearest).mean())


def gaussian_kernel(X: FloatArray, Y: FloatArray) -> FloatArray:
    """The Gaussian kernel of rows that are already divided by the bandwidth."""
    return np.exp(-squared_distances(X, Y) / 2.0)
