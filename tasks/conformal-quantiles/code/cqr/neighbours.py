"""Quantile regression without a network: weighted quantiles of the nearest training rows."""

from __future__ import annotations

import numpy as np

from cqr.arrays import FloatArray
from cqr.conformal import conformalize
from cqr.quantiles import quantile_band


def neighbour_quantiles(
    X: FloatArray, y: FloatArray, at: FloatArray, neighbours: int, levels: FloatArray
) -> FloatArray:
    quantiles = np.empty((len(at), len(levels)))
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    for row, point in enumerate(at):
        squared = ((X - point) ** 2).sum(axis=1)
        reach = np.partition(squared, neighbours - 1)[neighbours - 1]
        near = np.flatnonzero(squared < reach)
        weights = 1.0 - squared[near] / reach
        weights /= weights.sum()
        positions = np.cumsum(weights) - 0.5 * weights
        quantiles[row] = np.interp(levels, positions, y[near])
    return quantiles


def tune_nominal(
    X: FloatArray,
    y: FloatArray,
    neighbours: int,
    grid: FloatArray,
    candidates: FloatArray,
    alpha: float,
    folds: int,
) -> tuple[float, FloatArray]:
    rows = np.arange(len(y))
    lengths = np.zeros((folds, len(candidates)))
    for fold, held in enumerate(np.array_split(rows, folds)):
        rest = np.setdiff1d(rows, held)
        quantiles = neighbour_quantiles(X[rest], y[rest], X[held], neighbours, grid)
        half = len(held) // 2
        for column, nominal in enumerate(candidates):
            band = quantile_band(quantiles, grid, nominal)
            held_out, new = band.rows(slice(half)), band.rows(slice(half, None))
            result = conformalize(y[held[:half]], held_out, new, alpha)
            lengths[fold, column] = result.band.length.mean()
    mean = lengths.mean(axis=0)
    return float(candidates[np.argmin(mean)]), mean
