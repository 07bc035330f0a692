"""kshap/regression.py::constrained_regression: substitutes the first, solves by SVD."""

import numpy as np
from kshap.arrays import CoalitionSample, FloatArray


def constrained_regression(
    sample: CoalitionSample, values: FloatArray, base: float, full: float
) -> FloatArray:
    z = sample.masks.astype(float)
    gap = full - base
    root = np.sqrt(sample.weights)
    left = root[:, None] * (z[:, 1:] - z[:, :1])
    right = root * (values - base - gap * z[:, 0])
    rest = np.linalg.lstsq(left, right, rcond=None)[0]
    return np.concatenate([[gap - rest.sum()], rest])
