"""kshap/coalitions.py::shapley_kernel: by factorials, which cancel most of the binomial."""

from math import factorial

import numpy as np
from kshap.arrays import FloatArray


def shapley_kernel(features: int) -> FloatArray:
    inner = [
        (features - 1) * factorial(s - 1) * factorial(features - s - 1) / factorial(features)
        for s in range(1, features)
    ]
    return np.array([0.0, *inner, 0.0])
