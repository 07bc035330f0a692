"""Split conformal calibration: from predictions to bands that cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cqr.arrays import Band, FloatArray

GAMMA = 0.01
"""Added to the predicted spread of the locally weighted method, in units of the response."""


def conformal_quantile(scores: FloatArray, alpha: float) -> float:
    count = len(scores)
    rank = int(np.ceil((1.0 - alpha) * (count + 1)))
    if rank > count:
        return float("inf")
    return float(np.partition(scores, rank - 1)[rank - 1])


@dataclass(frozen=True)
class Centre:
    """Predicted mean per row, with the predicted spread where the method uses one."""

    mean: FloatArray
    spread: FloatArray | None = None


def residual_band(
    y: FloatArray, calibration: Centre, test: Centre, alpha: float
) -> tuple[Band, float]:
    residual = np.abs(y - calibration.mean)
    if calibration.spread is None or test.spread is None:
        scores = residual
        width = np.ones_like(test.mean)
    else:
        scores = residual / (np.maximum(calibration.spread, 0.0) + GAMMA)
        width = np.maximum(test.spread, 0.0) + GAMMA
    correction = conformal_quantile(scores, alpha)
    return Band(test.mean - correction * width, test.mean + correction * width), correction


@dataclass(frozen=True)
class CQR:
    """Conformalized quantile regression: what is added below and above a quantile band."""

    below: float
    above: float

    @classmethod
    def calibrate(cls, y: FloatArray, band: Band, alpha: float, symmetric: bool = True) -> CQR:
        low = band.lower - y
        high = y - band.upper
        if symmetric:
            both = conformal_quantile(np.maximum(low, high), alpha)
            return cls(below=both, above=both)
        return cls(
            below=conformal_quantile(low, alpha / 2.0),
            above=conformal_quantile(high, alpha / 2.0),
        )

    def conformalize(self, band: Band) -> Band:
        lower = band.lower - self.below
        upper = band.upper + self.above
        crossed = lower > upper
        middle = 0.5 * (lower + upper)
        lower = np.where(crossed, middle, lower)
        upper = np.where(crossed, middle, upper)
        return Band(lower, upper)
