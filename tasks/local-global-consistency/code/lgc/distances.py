"""How far points are from each other."""

from __future__ import annotations

from lgc.arrays import FloatArray


def dissimilarities(A: FloatArray, B: FloatArray, kind: str = "euclidean") -> FloatArray:
    """Squared Euclidean distances, or one minus cosines, of each row of A to each of B."""
    a, b = (A**2).sum(axis=1), (B**2).sum(axis=1)
    products = A @ B.T
    if kind == "cosine":
        return 1.0 - products / (a[:, None] * b) ** 0.5
    return a[:, None] + b - 2.0 * products
