"""orf/structured.py::structured_projections: the frequencies as a matrix, padding left out."""

import numpy as np
from orf.arrays import FloatArray


def structured_projections(X: FloatArray, signs: FloatArray, count: int) -> FloatArray:
    size = signs.shape[-1]
    H = hadamard_transform(np.eye(size))
    W = np.vstack([np.sqrt(size) * (H * d1) @ (H * d2) @ (H * d3) for d1, d2, d3 in signs])
    return X @ W[:count, : X.shape[1]].T
