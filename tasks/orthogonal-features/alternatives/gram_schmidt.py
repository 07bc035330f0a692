"""orf/frequencies.py::orthogonal_frequencies: Gram-Schmidt, twice, in place of QR."""

import numpy as np
from orf.arrays import FloatArray


def orthogonal_frequencies(
    normals: FloatArray, length_normals: FloatArray | None, count: int
) -> FloatArray:
    blocks, dims, _ = normals.shape
    W = np.empty((count, dims))
    for number in range(count):
        block, row = divmod(number, dims)
        if row == 0:
            basis = np.zeros((0, dims))
        direction = normals[block, row]
        for _ in range(2):
            direction = direction - basis.T @ (basis @ direction)
        direction = direction / np.linalg.norm(direction)
        basis = np.vstack([basis, direction])
        fixed = length_normals is None
        length = dims**0.5 if fixed else np.linalg.norm(length_normals[block, row])
        W[number] = length * direction
    return W
