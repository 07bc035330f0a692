"""orf/theory.py::predicted_variance: whole blocks counted at once, the rest added."""

import numpy as np
from orf.arrays import FloatArray


def predicted_variance(z: FloatArray, count: int, dims: int, orthogonal: bool) -> FloatArray:
    squared_kernel = np.exp(-np.square(z))
    base = (1.0 - squared_kernel) ** 2

    def of_block(size: int) -> FloatArray:
        return (base - (size - 1) / dims * z**4 * squared_kernel) / (2 * size)

    if not orthogonal:
        return base / (2 * count)
    whole, rest = divmod(count, dims)
    total = whole * dims**2 * of_block(dims)
    if rest:
        total = total + rest**2 * of_block(rest)
    return total / count**2
