"""Choosing points one at a time, from their distances alone."""

from __future__ import annotations

import numpy as np

from coreset.arrays import FloatArray, IntArray

ROUNDING = 1e-9


def k_center_greedy(
    distances: FloatArray, labelled: IntArray, budget: int
) -> tuple[IntArray, FloatArray]:
    nearest = distances[:, labelled].min(axis=1)
    chosen = np.empty(budget, dtype=np.int64)
    radii = np.empty(budget)
    for k in range(budget):
        farthest = int(np.argmax(nearest))
        chosen[k] = farthest
        nearest = np.minimum(nearest, distances[:, farthest])
        radii[k] = nearest.max()
    return chosen, radii


def k_median_greedy(
    distances: FloatArray, labelled: IntArray, budget: int
) -> tuple[IntArray, FloatArray]:
    nearest = distances[:, labelled].min(axis=1)
    open_points = np.ones(len(distances), dtype=bool)
    open_points[labelled] = False
    chosen = np.empty(budget, dtype=np.int64)
    means = np.empty(budget)
    for k in range(budget):
        totals = np.minimum(nearest[:, None], distances).sum(axis=0)
        totals[~open_points] = np.inf
        best = int(np.argmax(totals <= totals.min() * (1.0 + ROUNDING)))
        chosen[k] = best
        open_points[best] = False
        nearest = np.minimum(nearest, distances[:, best])
        means[k] = nearest.mean()
    return chosen, means


def greedy_cover(
    distances: FloatArray, labelled: IntArray, budget: int, radius: float, outliers: int
) -> IntArray | None:
    within = distances <= radius * (1.0 + ROUNDING)
    uncovered = ~within[:, labelled].any(axis=1)
    counts = within[uncovered].sum(axis=0)
    counts[labelled] = -1
    chosen = np.empty(budget, dtype=np.int64)
    for k in range(budget):
        best = int(np.argmax(counts))
        chosen[k] = best
        newly = uncovered & within[:, best]
        counts -= within[newly].sum(axis=0)
        counts[best] = -len(distances)
        uncovered &= ~newly
    return chosen if uncovered.sum() <= outliers else None
