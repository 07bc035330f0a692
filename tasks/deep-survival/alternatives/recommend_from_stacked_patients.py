"""deepsurv/treatment.py::recommend: all patients under all treatments in one call of the model."""

import numpy as np
from deepsurv.arrays import FloatArray, LogRisk


def recommend(log_risk: LogRisk, X: FloatArray, arms: FloatArray) -> Recommendation:
    n, k, width = len(X), len(arms), arms.shape[1]
    rest = X[:, : X.shape[1] - width]
    stacked = np.hstack([np.repeat(rest, k, axis=0), np.tile(arms, (n, 1))])
    risks = log_risk(stacked).reshape(n, k)
    squares = ((X[:, None, -width:] - arms[None]) ** 2).sum(axis=2)
    received = squares.argmin(axis=1)
    best = risks.argmin(axis=1)
    actual = np.take_along_axis(risks, received[:, None], axis=1)[:, 0]
    return Recommendation(risks, best, actual - risks.min(axis=1), received == best)
