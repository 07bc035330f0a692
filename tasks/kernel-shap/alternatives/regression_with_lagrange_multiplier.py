"""kshap/regression.py::constrained_regression: solves the KKT system of all M attributions."""

import numpy as np
from kshap.arrays import CoalitionSample, FloatArray


def constrained_regression(
    sample: CoalitionSample, values: FloatArray, base: float, full: float
) -> FloatArray:
    masks = sample.masks.astype(float)
    size = masks.shape[1]
    weights = sample.weights / sample.weights.sum()
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = 2 * (masks * weights[:, None]).T @ masks
    system[:size, size] = system[size, :size] = 1.0
    right = np.append(2 * masks.T @ (weights * (values - base)), full - base)
    return np.linalg.lstsq(system, right, rcond=None)[0][:size]
