"""offpolicy/policies.py::selection_probabilities: singular vectors, and an exact scale."""

import numpy as np
from offpolicy.arrays import FloatArray


def selection_probabilities(X: FloatArray, rate: float) -> FloatArray:
    vector = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][0]
    if vector[np.argmax(abs(vector))] < 0.0:
        vector = -vector
    z = (X - X.mean(axis=0)) @ vector
    m, M = z.min(), z.max()
    density = np.exp(-8.0 * ((z - m - (M - m) / 3) / (M - m)) ** 2)
    scale = rate / density.mean()
    for _ in range(1000):
        p = np.clip(scale * density, 0.02, 1.0)
        inner = (p > 0.02) & (p < 1.0)
        wanted = rate * len(z) - p[~inner].sum()
        new = wanted / density[inner].sum()
        if abs(new - scale) < 1e-14 * scale:
            break
        scale = new
    return np.clip(scale * density, 0.02, 1.0)
