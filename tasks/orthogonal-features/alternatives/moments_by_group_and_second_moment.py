"""orf/evaluation.py::grouped_moments: group by group, the variance from centred second moments."""

import numpy as np
from orf.arrays import FloatArray


def grouped_moments(
    estimates: FloatArray, exact: FloatArray, z: FloatArray, groups: int
) -> Moments:
    rows = []
    for pairs in distance_groups(z, groups):
        error = estimates[:, pairs] - exact[pairs]
        bias = error.mean(axis=0)
        variance = (error**2).mean(axis=0) - bias**2
        worst = np.maximum(error.max(axis=0), -error.min(axis=0))
        rows.append([np.mean(v) for v in (z[pairs], bias, variance, worst)])
    return Moments(*np.array(rows).T)
