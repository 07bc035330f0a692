"""kshap/closed_form.py::max_shap: sorts with repetitions, compares with middles of intervals."""

from itertools import pairwise
from math import factorial

import numpy as np
from kshap.arrays import Explanation, FloatArray


def max_shap(x: FloatArray, background: FloatArray) -> Explanation:
    total = np.zeros(len(x))
    for reference in background:
        ends = np.sort(np.append(x, reference))
        for first, second in pairwise(ends):
            middle = 0.5 * (first + second)
            gains = np.flatnonzero(x > middle)
            losses = np.flatnonzero(reference > middle)
            if np.intersect1d(gains, losses).size:
                continue
            a, b = len(gains), len(losses)
            for j in gains:
                share = factorial(a - 1) * factorial(b) / factorial(a + b)
                total[j] += share * (second - first)
            for j in losses:
                share = factorial(a) * factorial(b - 1) / factorial(a + b)
                total[j] -= share * (second - first)
    base = sum(max(reference) for reference in background) / len(background)
    return Explanation(float(base), total / len(background))
