"""coreset/greedy.py::k_center_greedy: minimum over all centres anew for every choice."""

import numpy as np
from coreset.arrays import FloatArray, IntArray


def k_center_greedy(
    distances: FloatArray, labelled: IntArray, budget: int
) -> tuple[IntArray, FloatArray]:
    centres = [int(point) for point in labelled]
    radii = []
    for _ in range(budget):
        closest = distances[np.array(centres)].min(axis=0)
        centres.append(max(range(len(closest)), key=closest.__getitem__))
        radii.append(distances[np.array(centres)].min(axis=0).max())
    return np.array(centres[len(labelled) :]), np.array(radii)
