"""deepsurv/curves.py::baseline_hazard: risk sets by a cumulative sum from the latest time."""

import numpy as np
from deepsurv.arrays import BoolArray, FloatArray


def baseline_hazard(time: FloatArray, event: BoolArray, log_risk: FloatArray) -> StepFunction:
    order = np.argsort(time)
    risk = np.exp(log_risk)[order]
    remaining = np.cumsum(risk[::-1])[::-1]
    jumps, deaths = np.unique(time[event], return_counts=True)
    first = np.searchsorted(time[order], jumps)
    return StepFunction(0.0, jumps, np.cumsum(deaths / remaining[first]))
