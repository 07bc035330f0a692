"""cqr/conformal.py::conformal_quantile: sorted, the rank counted from above."""

from math import floor, inf

import numpy as np
from cqr.arrays import FloatArray


def conformal_quantile(scores: FloatArray, alpha: float) -> float:
    above = floor(alpha * (len(scores) + 1))
    if above == 0:
        return inf
    return float(np.sort(scores)[::-1][above - 1])
