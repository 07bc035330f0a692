"""orf/frequencies.py::orthogonal_frequencies: rows orthonormalised by a Cholesky factor."""

import numpy as np
from orf.arrays import FloatArray
from scipy.linalg import solve_triangular


def orthogonal_frequencies(
    normals: FloatArray, length_normals: FloatArray | None, count: int
) -> FloatArray:
    dims = normals.shape[2]
    directions = []
    for gaussian in normals:
        factor = np.linalg.cholesky(gaussian @ gaussian.T)
        directions.append(-solve_triangular(factor, gaussian, lower=True))
    if length_normals is None:
        lengths = np.sqrt(dims) * np.ones(normals.shape[:2])
    else:
        lengths = np.linalg.norm(length_normals, axis=2)
    W = lengths[:, :, None] * np.stack(directions)
    return W.reshape(-1, dims)[:count]
