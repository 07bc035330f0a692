"""Who chose the logged actions, and what the log holds."""

from __future__ import annotations

import numpy as np

from offpolicy.arrays import FloatArray, IntArray, Log

FLOOR = 0.1
LOWEST = 0.02
STEPS = 100


def logging_policy(scores: FloatArray, share: float) -> FloatArray:
    k = scores.shape[1]
    centred = scores - scores.max(axis=1, keepdims=True)
    low, high = -20.0, 20.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        scaled = centred * np.exp(-middle)
        weights = np.exp(scaled)
        total = weights.sum(axis=1)
        entropy = np.log(total) - (weights * scaled).sum(axis=1) / total
        if entropy.mean() < share * np.log(k):
            low = middle
        else:
            high = middle
    policy = weights / total[:, None]
    mixed: FloatArray = (1.0 - FLOOR) * policy + FLOOR / k
    return mixed


def selection_probabilities(X: FloatArray, rate: float) -> FloatArray:
    centred = X - X.mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    direction = direction * np.sign(direction[np.abs(direction).argmax()])
    z = centred @ direction
    smallest, width = z.min(), z.max() - z.min()
    distance = (z - (smallest + width / 3.0)) / (width / 4.0)
    density = np.exp(-0.5 * distance**2)
    low, high = -50.0, 50.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        selected: FloatArray = np.clip(np.exp(middle) * density, LOWEST, 1.0)
        if selected.mean() < rate:
            low = middle
        else:
            high = middle
    return selected


def draw_log(
    table: FloatArray,
    propensities: FloatArray,
    rows: IntArray,
    uniforms: FloatArray,
    noise: float,
) -> Log:
    ends = np.cumsum(propensities, axis=1)
    passed = uniforms[:, :1] >= ends[rows, :-1]
    actions = passed.sum(axis=1)
    rewards = table[rows, actions].astype(np.float64)
    flipped = uniforms[:, 1] < noise
    rewards[flipped] = table.min() + table.max() - rewards[flipped]
    return Log(rows, actions, rewards)
