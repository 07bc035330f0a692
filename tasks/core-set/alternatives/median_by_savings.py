"""coreset/greedy.py::k_median_greedy: largest saving, with slack for equal ones."""

import numpy as np
from coreset.arrays import FloatArray, IntArray


def k_median_greedy(
    distances: FloatArray, labelled: IntArray, budget: int
) -> tuple[IntArray, FloatArray]:
    closest = np.min(distances[labelled], axis=0)
    taken = {int(point) for point in labelled}
    chosen, means = [], []
    for _ in range(budget):
        savings = np.clip(closest - distances, 0.0, None).sum(axis=1)
        left = [point for point in range(len(distances)) if point not in taken]
        most = max(savings[point] for point in left)
        slack = 1e-9 * (closest.sum() - most)
        best = next(point for point in left if savings[point] >= most - slack)
        taken.add(best)
        chosen.append(best)
        closest = np.minimum(closest, distances[best])
        means.append(closest.sum() / len(closest))
    return np.array(chosen), np.array(means)
