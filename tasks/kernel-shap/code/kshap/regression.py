"""Attributions as coefficients of a weighted regression on coalitions."""

from __future__ import annotations

import numpy as np

from kshap.arrays import CoalitionSample, Explanation, FloatArray, Masks

SWEEPS = 1_000
PRECISION = 1e-10
"""A lasso has converged when no coefficient changes by more than this in a sweep."""


def constrained_regression(
    sample: CoalitionSample, values: FloatArray, base: float, full: float
) -> FloatArray:
    masks = sample.masks.astype(np.float64)
    last = masks[:, -1]
    design = masks[:, :-1] - last[:, None]
    target = values - base - last * (full - base)
    gram = design.T @ (sample.weights[:, None] * design)
    moment = design.T @ (sample.weights * target)
    phi = np.linalg.solve(gram, moment)
    return np.append(phi, full - base - phi.sum())


def lasso(sample: CoalitionSample, values: FloatArray, base: float, strength: float) -> FloatArray:
    masks = sample.masks.astype(np.float64)
    gram = masks.T @ (sample.weights[:, None] * masks)
    moment = masks.T @ (sample.weights * (values - base))
    penalty = strength * np.abs(moment).max()
    phi = np.zeros(masks.shape[1])
    for _ in range(SWEEPS):
        before = phi.copy()
        for j in range(len(phi)):
            rest = moment[j] - gram[j] @ phi + gram[j, j] * phi[j]
            phi[j] = np.sign(rest) * max(abs(rest) - penalty, 0.0) / gram[j, j]
        if np.abs(phi - before).max() < PRECISION:
            break
    return phi


def lime(masks: Masks, values: FloatArray, width: float, ridge: float) -> Explanation:
    rows, features = masks.shape
    similarity = np.sqrt(masks.sum(axis=1) / features)
    distance = 1.0 - similarity
    weights = np.exp(-((distance / width) ** 2))
    design = np.ones((rows, features + 1))
    design[:, 1:] = masks
    penalty = np.full(features + 1, ridge)
    penalty[0] = 0.0
    gram = design.T @ (weights[:, None] * design) + np.diag(penalty)
    moment = design.T @ (weights * values)
    solution = np.linalg.solve(gram, moment)
    return Explanation(base=float(solution[0]), phi=solution[1:])
