"""What distances and classifier work on: the outputs of one fixed random layer."""

from __future__ import annotations

import numpy as np

from coreset.arrays import FloatArray

CLIP = 3.0


def embed(X: FloatArray, pool: int, directions: FloatArray, offsets: FloatArray) -> FloatArray:
    mean, deviation = X[:pool].mean(axis=0), X[:pool].std(axis=0)
    varies = deviation > 0.0
    scale = np.where(varies, deviation, 1.0)
    standardised = np.where(varies, (X - mean) / scale, 0.0)
    clipped = np.clip(standardised, -CLIP, CLIP)
    inputs = clipped @ directions / np.sqrt(varies.sum())
    outputs = np.maximum(inputs + offsets, 0.0)
    centred = outputs - outputs[:pool].mean(axis=0)
    squared_norms = (centred[:pool] ** 2).sum(axis=1)
    return centred / np.sqrt(squared_norms.mean())


def pairwise_distances(A: FloatArray, B: FloatArray) -> FloatArray:
    squares_a = (A**2).sum(axis=1)
    squares_b = (B**2).sum(axis=1)
    squared = squares_a[:, None] + squares_b[None, :] - 2.0 * (A @ B.T)
    return np.sqrt(np.maximum(squared, 0.0))
