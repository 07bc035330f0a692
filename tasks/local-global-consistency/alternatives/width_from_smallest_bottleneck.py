"""lgc/selection.py::spanning_tree_width: grows regions from the labelled points by length."""

import heapq

import numpy as np
from lgc.arrays import FloatArray, IntArray


def spanning_tree_width(squares: FloatArray, labels: IntArray) -> float:
    best = np.inf
    for start in np.flatnonzero(labels >= 0):
        worst = np.full(len(squares), np.inf)
        worst[start] = 0.0
        done = np.zeros(len(squares), dtype=bool)
        heap = [(0.0, int(start))]
        while heap:
            reached, point = heapq.heappop(heap)
            if reached >= best:
                break
            if done[point]:
                continue
            done[point] = True
            if labels[point] >= 0 and labels[point] != labels[start]:
                best = reached
                break
            through = np.maximum(reached, squares[point])
            for other in np.flatnonzero(~done & (through < worst)):
                worst[other] = through[other]
                heapq.heappush(heap, (float(through[other]), int(other)))
    return float(best**0.5 / 3.0)
