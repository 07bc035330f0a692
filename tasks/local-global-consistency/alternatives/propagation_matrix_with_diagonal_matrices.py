"""lgc/graphs.py::propagation_matrix: products with diagonal matrices."""

import numpy as np
from lgc.arrays import FloatArray


def propagation_matrix(W: FloatArray, kind: str = "symmetric") -> FloatArray:
    inverse = 1.0 / (W @ np.ones(len(W)))
    if kind == "walk":
        return np.diag(inverse) @ W
    if kind == "transpose":
        return W @ np.diag(inverse)
    half = np.diag(inverse**0.5)
    return half @ W @ half
