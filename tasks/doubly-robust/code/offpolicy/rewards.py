"""Models of the reward, and rewards filled in for actions that were not taken."""

from __future__ import annotations

import numpy as np

from offpolicy.arrays import FloatArray, IntArray, Log, design


def predict_rewards(X: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Predicted reward of every action in every context, shape (rows, k)."""
    return design(X) @ coefficients.T


def event_tables(log: Log, weights: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Rewards and weights of the events, shape (events, k), both 0 for actions not taken."""
    taken = np.eye(k)[log.actions]
    return taken * log.rewards[:, None], taken * weights[:, None]


def fit_rewards(
    X: FloatArray, targets: FloatArray, weights: FloatArray, penalty: float
) -> FloatArray:
    features = X.shape[1]
    coefficients = []
    for y, w in zip(targets.T, weights.T, strict=True):
        total = w.sum()
        mean_x, mean_y = w @ X / total, w @ y / total
        centred = X - mean_x
        gram = centred.T @ (w[:, None] * centred) + penalty * np.eye(features)
        slope = np.linalg.solve(gram, centred.T @ (w * (y - mean_y)))
        intercept = mean_y - mean_x @ slope
        coefficients.append(np.concatenate([[intercept], slope]))
    return np.array(coefficients)


def impute_rewards(
    X: FloatArray,
    log: Log,
    propensities: FloatArray,
    folds: IntArray,
    penalty: float | None,
) -> tuple[FloatArray, FloatArray]:
    k = propensities.shape[1]
    contexts = X[log.rows]
    inverse = 1.0 / propensities[log.rows, log.actions]
    predicted = np.zeros((len(log.rows), k))
    if penalty is not None:
        targets, weights = event_tables(log, inverse, k)
        for fold in np.unique(folds):
            held = folds == fold
            model = fit_rewards(contexts[~held], targets[~held], weights[~held], penalty)
            predicted[held] = predict_rewards(contexts[held], model)
    imputed = predicted.copy()
    taken = (np.arange(len(log.rows)), log.actions)
    imputed[taken] += inverse * (log.rewards - predicted[taken])
    return predicted, imputed
