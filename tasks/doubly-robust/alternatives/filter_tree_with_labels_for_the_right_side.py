"""offpolicy/trees.py::fit_filter_tree: classifies for the right side, and turns the sign."""

import numpy as np
from offpolicy.arrays import FloatArray
from offpolicy.logistic import fit_binary


def fit_filter_tree(X: FloatArray, rewards: FloatArray, penalty: float) -> Tree:
    k = rewards.shape[1]
    reached = {action: rewards[:, action] for action in range(k)}
    found = []
    for left, right in bracket(k):
        gain = reached[right] - reached[left]
        beta = -fit_binary(X, gain > 0.0, np.abs(gain), penalty)
        scores = beta[0] + X @ beta[1:]
        reached[k + len(found)] = np.where(scores > 0.0, reached[left], reached[right])
        found.append(beta)
    return Tree(k, np.array(found))
