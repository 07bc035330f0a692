"""deepsurv/cox.py::partial_likelihood: a softmax per event over a matrix of risk sets."""

import numpy as np
from deepsurv.arrays import BoolArray, FloatArray


def partial_likelihood(
    time: FloatArray, event: BoolArray, log_risk: FloatArray
) -> tuple[float, FloatArray]:
    failed = np.flatnonzero(event)
    in_set = time[None, :] >= time[failed, None]
    masked = np.where(in_set, log_risk[None, :], -np.inf)
    highest = masked.max(axis=1, keepdims=True)
    shares = np.exp(masked - highest)
    totals = shares.sum(axis=1, keepdims=True)
    losses = highest[:, 0] + np.log(totals[:, 0]) - log_risk[failed]
    gradient = (shares / totals).sum(axis=0)
    gradient[failed] -= 1.0
    return float(losses.mean()), gradient / len(failed)
