"""coreset/greedy.py::greedy_cover: counts what is uncovered anew for every choice."""

import numpy as np
from coreset.arrays import FloatArray, IntArray


def greedy_cover(
    distances: FloatArray, labelled: IntArray, budget: int, radius: float, outliers: int
) -> IntArray | None:
    reaches = (distances <= radius + 1e-9 * radius).astype(np.float64)
    need = (reaches[labelled].sum(axis=0) == 0).astype(np.float64)
    free = np.ones(len(distances), dtype=bool)
    free[labelled] = False
    chosen: list[int] = []
    for _ in range(budget):
        gains = np.where(free, reaches @ need, -1.0)
        best = int(gains.argmax())
        free[best] = False
        chosen.append(best)
        need[reaches[best] > 0] = 0.0
    if need.sum() > outliers:
        return None
    return np.array(chosen, dtype=np.int64)
