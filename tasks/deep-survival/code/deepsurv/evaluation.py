"""How well a model ranks patients and predicts their survival."""

from __future__ import annotations

import numpy as np

from deepsurv.arrays import BoolArray, FloatArray
from deepsurv.curves import kaplan_meier


def concordance(time: FloatArray, event: BoolArray, log_risk: FloatArray) -> tuple[float, float]:
    concordant = 0.0
    comparable = 0
    for patient in np.flatnonzero(event):
        later = time > time[patient]
        later |= (time == time[patient]) & ~event
        own, others = log_risk[patient], log_risk[later]
        comparable += len(others)
        lower = np.count_nonzero(others < own)
        equal = np.count_nonzero(others == own)
        concordant += lower + 0.5 * equal
    pairs = 0.5 * len(time) * (len(time) - 1)
    return float(concordant / comparable), float(comparable / pairs)


def integrated_brier(
    time: FloatArray, event: BoolArray, survival: FloatArray, grid: FloatArray
) -> float:
    censoring = kaplan_meier(time, ~event).survival
    died_weight = event / censoring.before(time)
    scores = np.zeros(len(grid))
    for k, moment in enumerate(grid):
        predicted = survival[:, k]
        dead = time <= moment
        alive_weight = 1.0 / censoring.at(moment)
        errors = np.where(dead, died_weight * predicted**2, alive_weight * (1.0 - predicted) ** 2)
        scores[k] = errors.mean()
    widths = np.diff(grid)
    middles = 0.5 * (scores[1:] + scores[:-1])
    return float(widths @ middles / widths.sum())
