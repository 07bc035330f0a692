"""kshap/regression.py::lasso: keeps residuals up to date, and visits the features backwards."""

import numpy as np
from kshap.arrays import CoalitionSample, FloatArray


def lasso(sample: CoalitionSample, values: FloatArray, base: float, strength: float) -> FloatArray:
    z = sample.masks.astype(float)
    w = sample.weights
    residual = values - base
    threshold = strength * max(abs(w @ (z[:, j] * residual)) for j in range(z.shape[1]))
    phi = np.zeros(z.shape[1])
    for _ in range(2000):
        largest = 0.0
        for j in reversed(range(z.shape[1])):
            norm = w @ z[:, j]
            pull = w @ (z[:, j] * residual) + norm * phi[j]
            new = 0.0
            if pull > threshold:
                new = (pull - threshold) / norm
            elif pull < -threshold:
                new = (pull + threshold) / norm
            residual = residual - (new - phi[j]) * z[:, j]
            largest = max(largest, abs(new - phi[j]))
            phi[j] = new
        if largest < 1e-12:
            return phi
    return phi
