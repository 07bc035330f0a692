"""rocket/ridge.py::fit_ridge: solves by singular values, and drops constant features first."""

import numpy as np
from rocket.arrays import FloatArray, Linear


def fit_ridge(features: FloatArray, wanted: FloatArray, penalties: FloatArray) -> "RidgeFit":
    spread = np.std(features, axis=0)
    used = np.flatnonzero(spread >= SMALLEST_SCALE)
    middle = features[:, used].mean(axis=0)
    standard = (features[:, used] - middle) / spread[used]
    path = leave_one_out(standard, wanted, penalties)
    penalty = float(penalties[int(np.argmin(path))])
    left, sizes, right = np.linalg.svd(standard, full_matrices=False)
    inner = (sizes / (sizes**2 + penalty))[:, None] * (left.T @ wanted)
    weights = np.zeros((features.shape[1], wanted.shape[1]))
    weights[used] = (right.T @ inner) / spread[used, None]
    return RidgeFit(Linear(weights, wanted.mean(axis=0) - middle @ weights[used]), penalty, path)
