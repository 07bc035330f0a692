"""cqr/conformal.py::end_units: a case per score, raised row by row."""

import numpy as np
from cqr.arrays import Band, FloatArray


def end_units(band: Band, score: Score) -> tuple[FloatArray, FloatArray]:
    rows = len(band.lower)
    if score in ("same", "sides"):
        return np.full(rows, 1.0), np.full(rows, 1.0)
    if score == "width":
        length = np.array([max(size, SMALLEST_UNIT) for size in band.length])
        return length, length.copy()
    below = (band.median - band.lower).clip(min=SMALLEST_UNIT)
    above = (band.upper - band.median).clip(min=SMALLEST_UNIT)
    return below, above
