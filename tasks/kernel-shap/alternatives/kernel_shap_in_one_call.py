"""kshap/kernel.py::kernel_shap: both ends in the same call as the sample."""

import numpy as np
from kshap.arrays import CoalitionSample, Explanation, FloatArray, Model
from kshap.regression import constrained_regression, lasso
from kshap.values import coalition_values


def kernel_shap(
    model: Model,
    x: FloatArray,
    background: FloatArray,
    sample: CoalitionSample,
    strength: float = 0.0,
) -> Explanation:
    ends = np.array([[False] * len(x), [True] * len(x)])
    all_values = coalition_values(model, x, background, np.vstack([ends, sample.masks]))
    base, full, values = float(all_values[0]), float(all_values[1]), all_values[2:]
    if strength == 0.0:
        return Explanation(base, constrained_regression(sample, values, base, full))
    chosen = np.flatnonzero(lasso(sample, values, base, strength))
    phi = np.zeros(len(x))
    reduced = CoalitionSample(sample.masks[:, chosen], sample.weights)
    phi[chosen] = constrained_regression(reduced, values, base, full)
    return Explanation(base, phi)
