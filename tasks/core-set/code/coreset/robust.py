"""Robust k-center: a search for the smallest radius that covers all but a few points."""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from coreset.arrays import Feasible, FloatArray, IntArray
from coreset.greedy import ROUNDING, k_center_greedy


def robust_k_center(
    distances: FloatArray, labelled: IntArray, budget: int, outliers: int, feasible: Feasible
) -> tuple[IntArray, float]:
    chosen, _ = k_center_greedy(distances, labelled, budget)
    centres = np.concatenate([labelled, chosen])
    nearest = np.sort(distances[:, centres].min(axis=1))
    upper = float(nearest[len(nearest) - 1 - outliers])
    lower = 0.0
    while lower < upper * (1.0 - ROUNDING):
        middle = 0.5 * (lower + upper)
        found = feasible(distances, labelled, budget, middle, outliers)
        if found is None:
            lower = float(distances[distances > middle].min())
        else:
            chosen = found
            upper = float(distances[distances <= middle].max())
    return chosen, upper


def integer_cover(
    distances: FloatArray, labelled: IntArray, budget: int, radius: float, outliers: int
) -> IntArray | None:
    size = len(distances)
    within = distances <= radius * (1.0 + ROUNDING)
    forced = np.zeros(2 * size)
    forced[labelled] = 1.0
    covered = LinearConstraint(np.hstack([within, np.eye(size)]), lb=1.0)
    totals = np.zeros((2, 2 * size))
    totals[0, :size] = 1.0
    totals[1, size:] = 1.0
    centres = len(labelled) + budget
    limits = LinearConstraint(totals, lb=[centres, 0.0], ub=[centres, outliers])
    result = milp(
        np.zeros(2 * size),
        integrality=np.ones(2 * size),
        bounds=Bounds(forced, np.ones(2 * size)),
        constraints=[covered, limits],
    )
    if result.x is None:
        return None
    used = np.flatnonzero(result.x[:size] > 0.5)
    return np.setdiff1d(used, labelled)
