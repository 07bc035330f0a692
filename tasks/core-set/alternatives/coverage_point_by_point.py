"""coreset/bounds.py::coverage: balls as a dictionary of counts, pairs in a loop."""

from collections import Counter
from itertools import combinations
from math import exp, log

import numpy as np
from coreset.arrays import FloatArray, IntArray


def coverage(distances: FloatArray, labelled: IntArray, outliers: int) -> Coverage:
    nearest, owners = [], Counter()
    for row in distances:
        owner = min(labelled, key=lambda point, row=row: row[point])
        owners[int(owner)] += 1
        nearest.append(row[owner])
    falling = sorted(nearest, reverse=True)
    entropy = -sum(c / len(nearest) * log(c / len(nearest)) for c in owners.values())
    return Coverage(
        float(falling[0]),
        float(falling[outliers]),
        float(np.mean(nearest)),
        float(min(distances[i, j] for i, j in combinations(labelled, 2))),
        exp(entropy) / len(labelled),
    )
