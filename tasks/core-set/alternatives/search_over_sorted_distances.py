"""coreset/robust.py::robust_k_center: ends are places in the sorted list of all distances."""

import numpy as np
from coreset.arrays import Feasible, FloatArray, IntArray
from coreset.greedy import k_center_greedy


def robust_k_center(
    distances: FloatArray, labelled: IntArray, budget: int, outliers: int, feasible: Feasible
) -> tuple[IntArray, float]:
    best, _ = k_center_greedy(distances, labelled, budget)
    closest = distances[np.append(labelled, best)].min(axis=0)
    high = float(np.partition(closest, -1 - outliers)[-1 - outliers])
    ordered = np.unique(distances)
    low = 0.0
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        answer = feasible(distances, labelled, budget, middle, outliers)
        place = int(np.searchsorted(ordered, middle, side="right"))
        if answer is not None:
            best, high = answer, float(ordered[place - 1])
        else:
            low = float(ordered[place])
    return best, high
