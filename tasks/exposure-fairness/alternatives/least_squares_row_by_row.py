"""jme/models.py::als_half_step: one weighted ridge regression per row, rated items only."""

import numpy as np


def als_half_step(ratings: np.ndarray, fixed: np.ndarray, alpha: float, lam: float) -> np.ndarray:
    factors = fixed.shape[1]
    gram = fixed.T @ fixed
    solved = np.empty((len(ratings), factors))
    for row, given in enumerate(ratings):
        rated = given > 0
        part = fixed[rated]
        extra = alpha * given[rated]
        system = gram + part.T @ (extra[:, None] * part)
        system[np.diag_indices(factors)] += lam
        solved[row] = np.linalg.inv(system) @ (part.T @ (1.0 + extra))
    return solved
