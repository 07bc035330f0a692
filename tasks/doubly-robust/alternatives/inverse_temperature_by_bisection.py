"""offpolicy/policies.py::logging_policy: the inverse temperature by bisection, from below."""

import numpy as np
from offpolicy.arrays import FloatArray


def logging_policy(scores: FloatArray, share: float) -> FloatArray:
    k = scores.shape[1]

    def at(inverse: float) -> FloatArray:
        p = np.exp(inverse * (scores - scores.max(axis=1)[:, None]))
        return p / p.sum(axis=1)[:, None]

    def excess(inverse: float) -> float:
        p = at(inverse)
        return float(-np.sum(p * np.log(np.maximum(p, 1e-300))) / len(p) - share * np.log(k))

    low, high = 0.0, 1.0
    while excess(high) > 0.0:
        high *= 2.0
    while high - low > 1e-13 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return (1 - 0.1) * at(low) + 0.1 * np.full_like(scores, 1 / k)
