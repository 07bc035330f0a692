"""coreset/bounds.py::risk_bound: singular values, and the logarithm of the risk."""

from math import log, sqrt

import numpy as np
from coreset.arrays import FloatArray


def risk_bound(
    weights: FloatArray, regression: FloatArray, radius: float, rows: int, confidence: float
) -> tuple[float, float]:
    c = weights.shape[1]
    slopes = [
        sqrt(c - 1) / c * float(np.linalg.svd(w[:-1], compute_uv=False)[0])
        for w in (weights, regression)
    ]
    first = radius * slopes[0] + radius * slopes[1] * sqrt(2) * c
    return first, sqrt(-log(1 - confidence) / rows)
