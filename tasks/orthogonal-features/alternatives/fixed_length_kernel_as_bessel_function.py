"""orf/theory.py::fixed_length_kernel: scipy's Bessel function instead of the power series."""

import numpy as np
from orf.arrays import FloatArray
from scipy.special import gammaln, jv


def fixed_length_kernel(z: FloatArray, dims: int) -> FloatArray:
    order = dims / 2.0 - 1.0
    t = np.sqrt(dims) * z
    return np.exp(gammaln(dims / 2.0) + order * np.log(2.0 / t)) * jv(order, t)
