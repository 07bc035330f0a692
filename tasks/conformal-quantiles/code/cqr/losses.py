"""The losses that the networks are trained with: each gives its value and its gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cqr.arrays import FloatArray

Loss = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


def pinball(
    y: FloatArray, quantiles: FloatArray, levels: FloatArray
) -> tuple[FloatArray, FloatArray]:
    error = y[:, None] - quantiles
    above = error > 0
    below = error < 0
    losses = np.zeros(len(levels))
    gradient = np.zeros_like(quantiles)
    for column, level in enumerate(levels):
        weight = level * above[:, column] + (1.0 - level) * below[:, column]
        losses[column] = (weight * np.abs(error[:, column])).mean()
        gradient[:, column] = -weight * np.sign(error[:, column])
    return losses, gradient / len(y)


def squared(y: FloatArray, prediction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean squared error of a prediction of shape (rows, 1), and its gradient there."""
    error = prediction - y[:, None]
    return (error**2).mean(axis=0), 2.0 * error / len(y)
