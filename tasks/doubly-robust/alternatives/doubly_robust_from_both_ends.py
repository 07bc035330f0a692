"""offpolicy/estimators.py::doubly_robust: weighted rewards plus weighted predictions."""

import numpy as np
from offpolicy.arrays import FloatArray, IntArray, Log


def doubly_robust(
    log: Log, policy: IntArray, propensities: FloatArray, predicted: FloatArray
) -> Estimate:
    chosen = policy[log.rows]
    w = (chosen == log.actions) / propensities[log.rows, chosen]
    terms = w * log.rewards + (1.0 - w) * predicted[log.rows, chosen]
    error = np.sqrt(np.var(terms, ddof=1) / len(terms))
    squares = w @ w
    size = w.sum() ** 2 / squares if squares else 0.0
    return Estimate(float(np.mean(terms)), float(error), float(size))
