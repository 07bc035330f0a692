"""From a grid of predicted quantiles to one band."""

from __future__ import annotations

import numpy as np

from cqr.arrays import Band, FloatArray


def quantile_band(quantiles: FloatArray, grid: FloatArray, alpha: float) -> Band:
    ordered = np.sort(quantiles, axis=1)
    read = []
    for level in (alpha / 2.0, 1.0 - alpha / 2.0, 0.5):
        right = int(np.searchsorted(grid, level))
        left = right - 1
        share = (level - grid[left]) / (grid[right] - grid[left])
        read.append((1.0 - share) * ordered[:, left] + share * ordered[:, right])
    lower, upper, median = read
    return Band(lower, upper, median)
