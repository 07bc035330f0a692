"""rocket/series.py::cut_windows: averages as differences of running sums, one series at a time."""

from collections.abc import Sequence
from math import floor

import numpy as np
from rocket.arrays import FloatArray


def cut_windows(
    recordings: Sequence[FloatArray], starts: FloatArray, points: int, step: int
) -> FloatArray:
    windows = starts.shape[1]
    result = np.empty((len(recordings) * windows, points))
    for number, samples in enumerate(recordings):
        sums = np.concatenate([[0.0], np.cumsum(samples)])
        possible = len(samples) - points * step + 1
        for k in range(windows):
            edges = floor(starts[number, k] * possible) + step * np.arange(points + 1)
            values = np.diff(sums[edges])
            result[number * windows + k] = (values - values.mean()) / np.std(values)
    return result
