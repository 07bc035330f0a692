"""deepsurv/evaluation.py::concordance: matrices of all ordered pairs."""

import numpy as np
from deepsurv.arrays import BoolArray, FloatArray


def concordance(time: FloatArray, event: BoolArray, log_risk: FloatArray) -> tuple[float, float]:
    earlier = time[:, None] < time[None, :]
    tied = (time[:, None] == time[None, :]) & ~event[None, :]
    comparable = event[:, None] & (earlier | tied)
    sign = np.sign(log_risk[:, None] - log_risk[None, :])
    index = (0.5 * (1.0 + sign))[comparable].mean()
    n = len(time)
    return float(index), float(comparable.sum() * 2 / (n * n - n))
