"""cqr/evaluation.py::conditional_report: the worst window is shorter than two smallest ones."""

import math

import numpy as np
from cqr.arrays import Band, FloatArray


def conditional_report(
    y: FloatArray, band: Band, by: FloatArray, groups: int, share: float
) -> ConditionalReport:
    rows = np.lexsort((np.arange(len(y)), by))
    hit = ((y >= band.lower) & (y <= band.upper)).astype(float)[rows]
    length = (band.upper - band.lower)[rows]
    smallest = math.ceil(share * len(y))
    longest = min(2 * smallest, len(y))
    worst = min(
        np.convolve(hit, np.ones(size), mode="valid").min() / size
        for size in range(smallest, longest + 1)
    )
    return ConditionalReport(
        np.array([np.mean(part) for part in np.array_split(hit, groups)]),
        np.array([np.mean(part) for part in np.array_split(length, groups)]),
        float(worst),
    )
