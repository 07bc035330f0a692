"""orf/structured.py::hadamard_transform: multiplication by scipy's Hadamard matrix."""

import numpy as np
from orf.arrays import FloatArray
from scipy.linalg import hadamard


def hadamard_transform(X: FloatArray) -> FloatArray:
    dims = X.shape[1]
    return X @ hadamard(dims).astype(np.float64) / np.sqrt(dims)
