"""offpolicy/logistic.py::fit_binary: reweighted least squares on an augmented design by QR."""

import numpy as np
from offpolicy.arrays import BoolArray, FloatArray


def fit_binary(
    X: FloatArray, positive: BoolArray, weights: FloatArray, penalty: float
) -> FloatArray:
    kept = weights > 0.0
    ones = np.column_stack([np.ones(int(kept.sum())), X[kept]])
    labels = np.where(positive[kept], 1.0, -1.0)
    v = weights[kept] * (len(weights) / weights.sum())

    def loss(beta: FloatArray) -> float:
        return float(v @ np.logaddexp(0.0, -labels * (ones @ beta)) + penalty / 2 * beta @ beta)

    ridge = np.sqrt(penalty) * np.eye(ones.shape[1])
    beta = np.zeros(ones.shape[1])
    for _ in range(200):
        scores = ones @ beta
        p = 1.0 / (1.0 + np.exp(-scores))
        curvature = np.maximum(v * p * (1.0 - p), 1e-300)
        working = scores + v * ((labels > 0) - p) / curvature
        root = np.sqrt(curvature)
        left = np.vstack([root[:, None] * ones, ridge])
        right = np.append(root * working, np.zeros(len(beta)))
        step = np.linalg.lstsq(left, right, rcond=None)[0] - beta
        size = 1.0
        while size > 1e-6 and loss(beta + size * step) > loss(beta) + 1e-12:
            size *= 0.5
        beta = beta + size * step
        if np.abs(step).max() < 1e-9:
            break
    return beta
