"""cqr/conformal.py::residual_band: one formula for both methods, row by row."""

import numpy as np
from cqr.arrays import Band, FloatArray


def residual_band(
    y: FloatArray, calibration: Centre, test: Centre, alpha: float
) -> tuple[Band, float]:
    def divisors(centre: Centre) -> FloatArray:
        if centre.spread is None:
            return np.ones(len(centre.mean))
        return np.array([GAMMA + max(0.0, spread) for spread in centre.spread])

    scores = np.abs(y - calibration.mean) / divisors(calibration)
    q = conformal_quantile(scores, alpha)
    half = q * divisors(test)
    return Band(lower=test.mean - half, upper=test.mean + half), q
