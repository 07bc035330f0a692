"""offpolicy/logistic.py::fit_softmax: a fixed bound on the curvature in place of the Hessian."""

import numpy as np
from offpolicy.arrays import FloatArray, IntArray


def fit_softmax(X: FloatArray, labels: IntArray, k: int, penalty: float) -> FloatArray:
    ones = np.column_stack([np.ones(len(X)), X])
    bound = np.linalg.inv(0.5 * ones.T @ ones + penalty * np.eye(ones.shape[1]))
    theta = np.zeros((ones.shape[1], k))
    ahead, momentum = theta.copy(), 1.0
    for _ in range(20000):
        scores = ones @ ahead
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(X)), labels] -= 1.0
        slope = ones.T @ p + penalty * ahead
        new = ahead - bound @ slope
        if np.abs(new - ahead).max() < 1e-11:
            return new.T
        if (slope * (new - theta)).sum() > 0.0:
            momentum = 1.0
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        ahead = new + (momentum - 1.0) / following * (new - theta)
        theta, momentum = new, following
    return theta.T
