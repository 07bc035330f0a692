"""Logistic regression by Newton's method."""

from __future__ import annotations

import numpy as np

from offpolicy.arrays import BoolArray, FloatArray, IntArray, design

TOLERANCE = 1e-9


def softmax(scores: FloatArray) -> FloatArray:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: FloatArray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(scores: FloatArray) -> FloatArray:
    return 0.5 * (1.0 + np.tanh(0.5 * scores))


def fit_softmax(X: FloatArray, labels: IntArray, k: int, penalty: float) -> FloatArray:
    rows = design(X)
    width = rows.shape[1]
    target = np.eye(k)[labels]
    theta = np.zeros((k, width))
    longest = np.inf
    while longest >= TOLERANCE:
        p = softmax(rows @ theta.T)
        gradient = (p - target).T @ rows + penalty * theta
        hessian = np.empty((k, width, k, width))
        for a in range(k):
            for b in range(a, k):
                curvature = p[:, a] * ((a == b) - p[:, b])
                block = rows.T @ (curvature[:, None] * rows)
                hessian[a, :, b, :] = block
                hessian[b, :, a, :] = block
        matrix = hessian.reshape(k * width, k * width) + penalty * np.eye(k * width)
        step = np.linalg.solve(matrix, gradient.ravel()).reshape(k, width)
        longest = np.abs(step).max()
        theta = theta - step / max(1.0, longest)
    return theta


def fit_binary(
    X: FloatArray, positive: BoolArray, weights: FloatArray, penalty: float
) -> FloatArray:
    rows = design(X)
    beta = np.zeros(rows.shape[1])
    scaled = weights / weights.mean()
    longest = np.inf
    while longest >= TOLERANCE:
        p = sigmoid(rows @ beta)
        gradient = rows.T @ (scaled * (p - positive)) + penalty * beta
        hessian = rows.T @ ((scaled * p * (1.0 - p))[:, None] * rows)
        step = np.linalg.solve(hessian + penalty * np.eye(len(beta)), gradient)
        longest = np.abs(step).max()
        beta = beta - step / max(1.0, longest)
    return beta
