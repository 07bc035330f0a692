"""jme/optimise.py::score_gradient: the whole Jacobian of the ranks, by user."""

import numpy as np


def score_gradient(
    above: np.ndarray, exposure_gradient: np.ndarray, gamma: float, tau: float
) -> np.ndarray:
    size = above.shape[1]
    result = np.empty_like(exposure_gradient)
    for user, p in enumerate(above):
        ranks = p.sum(axis=1)
        outer = exposure_gradient[user] * np.log(gamma) * np.exp(np.log(gamma) * ranks)
        jacobian = (p - p**2) / tau
        jacobian[np.arange(size), np.arange(size)] = -jacobian.sum(axis=1)
        result[user] = jacobian.T @ outer
    return result
