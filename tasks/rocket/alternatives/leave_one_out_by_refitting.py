"""rocket/ridge.py::leave_one_out: leaves each row out and fits to the others."""

import numpy as np
from rocket.arrays import FloatArray


def leave_one_out(features: FloatArray, wanted: FloatArray, penalties: FloatArray) -> FloatArray:
    rows = len(features)
    errors = np.zeros((len(penalties), rows))
    for i in range(rows):
        kept = np.arange(rows) != i
        middle, offset = features[kept].mean(axis=0), wanted[kept].mean(axis=0)
        others = features[kept] - middle
        values, vectors = np.linalg.eigh(others @ others.T)
        rotated = vectors.T @ (wanted[kept] - offset)
        similar = (others @ (features[i] - middle)) @ vectors
        for k, penalty in enumerate(penalties):
            guess = (similar / (values + penalty)) @ rotated + offset
            errors[k, i] = ((wanted[i] - guess) ** 2).mean()
    return errors.mean(axis=1)
