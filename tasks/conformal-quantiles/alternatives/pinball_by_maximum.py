"""cqr/losses.py::pinball: the larger of two lines, without a loop over the levels."""

import numpy as np
from cqr.arrays import FloatArray


def pinball(
    y: FloatArray, quantiles: FloatArray, levels: FloatArray
) -> tuple[FloatArray, FloatArray]:
    rows = len(y)
    difference = quantiles - y.reshape(-1, 1)
    losses = np.maximum((1.0 - levels) * difference, -levels * difference).sum(axis=0) / rows
    slope = np.select([difference > 0, difference < 0], [1.0 - levels, -levels], 0.0)
    return losses, slope / rows
