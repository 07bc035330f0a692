"""realnvp/evaluation.py::gaussian_baselines: the inverse covariance and its determinant."""

import numpy as np
from realnvp.arrays import FloatArray


def gaussian_baselines(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    covariance = np.atleast_2d(np.cov(train, rowvar=False, bias=True))
    found = []
    for matrix in (np.diag(np.diag(covariance)), covariance):
        away = test - train.mean(axis=0)
        _, log_determinant = np.linalg.slogdet(2.0 * np.pi * matrix)
        squares = np.einsum("ij,jk,ik->i", away, np.linalg.inv(matrix), away)
        found.append(-0.5 * (squares + log_determinant))
    return found[0], found[1]
