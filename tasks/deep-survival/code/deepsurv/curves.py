"""Estimates of survival over time: step functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepsurv.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class StepFunction:
    """``start`` before the first of the increasing ``jumps``, ``values[k]`` from jump k on."""

    start: float
    jumps: FloatArray
    values: FloatArray

    def at(self, time: FloatArray) -> FloatArray:
        """The value at each time; at a jump, the new one."""
        levels = np.concatenate([[self.start], self.values])
        return levels[np.searchsorted(self.jumps, time, side="right")]

    def before(self, time: FloatArray) -> FloatArray:
        """The limit from the left at each time: at a jump, the old value."""
        levels = np.concatenate([[self.start], self.values])
        return levels[np.searchsorted(self.jumps, time, side="left")]

    def mean_until(self, horizon: float) -> float:
        """The mean value from time 0 to the horizon."""
        inside = self.jumps[self.jumps < horizon]
        widths = np.diff(np.concatenate([[0.0], inside, [horizon]]))
        levels = np.concatenate([[self.start], self.values])[: len(widths)]
        return float(widths @ levels / horizon)


@dataclass(frozen=True)
class KaplanMeier:
    """The estimated survival function and its standard error."""

    survival: StepFunction
    error: StepFunction


def kaplan_meier(time: FloatArray, event: BoolArray) -> KaplanMeier:
    jumps, which = np.unique(time[event], return_inverse=True)
    deaths = np.bincount(which, minlength=len(jumps))
    ordered = np.sort(time)
    gone = np.searchsorted(ordered, jumps, side="left")
    at_risk = len(time) - gone
    survival = np.cumprod(1.0 - deaths / at_risk)
    left = at_risk - deaths
    terms = np.where(left > 0, deaths / (at_risk * np.maximum(left, 1)), 0.0)
    error = survival * np.sqrt(np.cumsum(terms))
    return KaplanMeier(StepFunction(1.0, jumps, survival), StepFunction(0.0, jumps, error))


def baseline_hazard(time: FloatArray, event: BoolArray, log_risk: FloatArray) -> StepFunction:
    jumps = np.unique(time[event])
    increments = np.zeros(len(jumps))
    for k, jump in enumerate(jumps):
        deaths = np.count_nonzero(event & (time == jump))
        increments[k] = deaths / np.exp(log_risk[time >= jump]).sum()
    return StepFunction(0.0, jumps, np.cumsum(increments))


def survival_curves(baseline: StepFunction, log_risk: FloatArray, grid: FloatArray) -> FloatArray:
    """Predicted survival of every patient at every time, shape (patients, times)."""
    return np.exp(-np.outer(np.exp(log_risk), baseline.at(grid)))
