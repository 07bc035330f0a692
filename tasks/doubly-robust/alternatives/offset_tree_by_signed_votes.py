"""offpolicy/trees.py::fit_offset_tree: one signed vote per event, with index arrays."""

import numpy as np
from offpolicy.arrays import FloatArray, Log
from offpolicy.logistic import fit_binary


def fit_offset_tree(
    X: FloatArray, log: Log, propensities: FloatArray, middle: float, penalty: float
) -> Tree:
    k = propensities.shape[1]
    votes = (log.rewards - middle) / propensities[log.rows, log.actions]
    events = X[log.rows]
    sides = [np.repeat(action, len(votes)) for action in range(k)]
    coefficients = []
    for left, right in bracket(k):
        sign = (log.actions == sides[left]).astype(int) - (log.actions == sides[right])
        used = np.flatnonzero(sign)
        for_left = sign[used] * votes[used]
        beta = fit_binary(events[used], for_left > 0.0, np.abs(for_left), penalty)
        coefficients.append(beta)
        scores = np.insert(events, 0, 1.0, axis=1) @ beta
        sides.append(np.where(scores > 0.0, sides[left], sides[right]))
    return Tree(k, np.array(coefficients))
