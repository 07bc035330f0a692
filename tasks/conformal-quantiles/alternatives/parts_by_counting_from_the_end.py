"""cqr/preparation.py::scaled_parts: slices of the order, standard deviation by NumPy's own."""

import math

import numpy as np
from cqr.arrays import FloatArray, IntArray


def scaled_parts(
    X: FloatArray, y: FloatArray, order: IntArray, test_share: float, calibration_share: float
) -> Parts:
    tests = math.floor(len(order) * test_share)
    usable, test = order[: len(order) - tests], order[len(order) - tests :]
    held = math.floor(len(usable) * calibration_share)
    train, calibration = usable[: len(usable) - held], usable[len(usable) - held :]
    centre, spread = np.mean(X[train], axis=0), np.std(X[train], axis=0)
    unit = sum(abs(y[train])) / len(train)

    def part(rows: IntArray) -> Part:
        return Part(rows, np.take(X, rows, axis=0) / spread - centre / spread, y[rows] / unit)

    return Parts(train=part(train), calibration=part(calibration), test=part(test))
