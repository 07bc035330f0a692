"""Softmax regression on the outputs of the random layer."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from coreset.arrays import FloatArray, IntArray

PRECISION = 1e-9
ITERATIONS = 2000


def log_softmax(scores: FloatArray) -> FloatArray:
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_probabilities(weights: FloatArray, H: FloatArray) -> FloatArray:
    """Log probability of every class for every row; the last row of weights is the bias."""
    return log_softmax(H @ weights[:-1] + weights[-1])


def loss_and_gradient(
    weights: FloatArray, H: FloatArray, y: IntArray, penalty: float
) -> tuple[float, FloatArray]:
    log_p = log_probabilities(weights, H)
    rows = np.arange(len(y))
    loss = -log_p[rows, y].mean() + 0.5 * penalty * (weights**2).sum()
    residuals = np.exp(log_p)
    residuals[rows, y] -= 1.0
    residuals /= len(y)
    gradient = penalty * weights
    gradient[:-1] += H.T @ residuals
    gradient[-1] += residuals.sum(axis=0)
    return float(loss), gradient


def fit(H: FloatArray, y: IntArray, classes: int, penalty: float) -> FloatArray:
    """The minimiser of the penalised loss, shape (units + 1, classes)."""
    shape = (H.shape[1] + 1, classes)

    def objective(flat: FloatArray) -> tuple[float, FloatArray]:
        loss, gradient = loss_and_gradient(flat.reshape(shape), H, y, penalty)
        return loss, gradient.ravel()

    options = {"gtol": PRECISION, "ftol": 0.0, "maxiter": ITERATIONS, "maxcor": 20}
    start = np.zeros(shape[0] * shape[1])
    result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(result.x).reshape(shape)
