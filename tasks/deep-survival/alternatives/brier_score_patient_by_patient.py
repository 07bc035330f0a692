"""deepsurv/evaluation.py::integrated_brier: patient by patient, with the area in two parts."""

import numpy as np
from deepsurv.arrays import BoolArray, FloatArray
from deepsurv.curves import kaplan_meier


def integrated_brier(
    time: FloatArray, event: BoolArray, survival: FloatArray, grid: FloatArray
) -> float:
    remaining = kaplan_meier(time, np.logical_not(event)).survival
    at_grid = remaining.at(grid)
    at_times = remaining.before(time)
    total = np.zeros(len(grid))
    for patient in range(len(time)):
        alive = grid < time[patient]
        total += alive * (1.0 - survival[patient]) ** 2 / at_grid
        if event[patient]:
            total += ~alive * survival[patient] ** 2 / at_times[patient]
    scores = total / len(time)
    steps = np.diff(grid)
    area = steps @ scores[:-1] + 0.5 * steps @ np.diff(scores)
    return float(area / (grid[-1] - grid[0]))
