"""jme/policy.py::target_exposure: sums the exposure of positions, user by user."""

import numpy as np


def target_exposure(relevant: np.ndarray, gamma: float) -> np.ndarray:
    positions = gamma ** np.arange(relevant.shape[1])
    target = np.zeros(relevant.shape)
    for user, liked in enumerate(relevant):
        count = int(np.count_nonzero(liked))
        if count:
            target[user, liked] = positions[:count].mean()
        if count < len(liked):
            target[user, ~liked] = positions[count:].mean()
    return target
