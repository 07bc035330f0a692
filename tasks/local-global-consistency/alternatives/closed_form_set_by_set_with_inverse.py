"""lgc/propagation.py::closed_form: one inverse, applied to one set after the other."""

import numpy as np
from lgc.arrays import FloatArray


def closed_form(matrix: FloatArray, Y: FloatArray, alpha: float) -> FloatArray:
    kernel = np.linalg.inv(np.identity(len(matrix)) - alpha * matrix)
    return np.stack([(1.0 - alpha) * (kernel @ labels) for labels in Y])
