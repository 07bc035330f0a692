"""Split conformal calibration: from predictions to bands that cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cqr.arrays import Band, FloatArray

GAMMA = 0.01
"""Added to the predicted spread of the locally weighted method, in units of the response."""
SMALLEST_UNIT = 0.01
"""The least unit in which the scores of CQR are measured, in units of the response."""

Score = Literal["same", "sides", "width", "median"]


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
class Conformal:
    """A conformalized band, and the conformal quantiles that moved its ends."""

    band: Band
    below: float
    above: float


def end_units(band: Band, score: Score) -> tuple[FloatArray, FloatArray]:
    if score == "width":
        below = above = band.upper - band.lower
    elif score == "median":
        assert band.median is not None
        below = band.median - band.lower
        above = band.upper - band.median
    else:
        below = above = np.ones_like(band.lower)
    return np.maximum(below, SMALLEST_UNIT), np.maximum(above, SMALLEST_UNIT)


def conformalize(
    y: FloatArray, held_out: Band, raw: Band, alpha: float, score: Score = "same"
) -> Conformal:
    below, above = end_units(held_out, score)
    low = (held_out.lower - y) / below
    high = (y - held_out.upper) / above
    if score == "sides":
        down = conformal_quantile(low, alpha / 2.0)
        up = conformal_quantile(high, alpha / 2.0)
    else:
        down = up = conformal_quantile(np.maximum(low, high), alpha)
    below, above = end_units(raw, score)
    lower = raw.lower - down * below
    upper = raw.upper + up * above
    crossed = lower > upper
    middle = 0.5 * (lower[crossed] + upper[crossed])
    lower[crossed] = middle
    upper[crossed] = middle
    return Conformal(Band(lower, upper), down, up)
