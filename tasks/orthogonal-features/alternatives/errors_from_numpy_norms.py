"""orf/evaluation.py::kernel_errors: numpy's matrix norms, by singular values."""

import numpy as np
from orf.arrays import FloatArray


def kernel_errors(exact: FloatArray, approximate: FloatArray) -> KernelErrors:
    error = exact - approximate
    size = np.linalg.norm(exact)
    cosine = np.vdot(exact / size, approximate / np.linalg.norm(approximate))
    return KernelErrors(
        mse=float(np.mean(np.square(error))),
        frobenius=float(np.linalg.norm(error) / size),
        spectral=float(np.linalg.norm(error, 2) / np.linalg.norm(exact, 2)),
        worst=float(np.max(np.abs(error))),
        misalignment=float(1.0 - cosine),
    )
