"""offpolicy/estimators.py::inverse_propensity: sums over the matching events alone."""

import numpy as np
from offpolicy.arrays import FloatArray, IntArray, Log


def inverse_propensity(
    log: Log,
    policy: IntArray,
    propensities: FloatArray,
    cap: float = np.inf,
    normalise: bool = False,
) -> Estimate:
    n = len(log.rows)
    same = np.flatnonzero(policy[log.rows] == log.actions)
    r = log.rewards[same]
    w = np.clip(1.0 / propensities[log.rows[same], log.actions[same]], None, cap)
    size = w.sum() ** 2 / (w**2).sum() if len(w) else 0.0
    if normalise:
        value = np.average(r, weights=w)
        error = np.linalg.norm(w * (r - value)) / w.sum()
    else:
        value = (w * r).sum() / n
        error = np.sqrt((((w * r) ** 2).sum() - n * value**2) / (n - 1) / n)
    return Estimate(float(value), float(error), float(size))
