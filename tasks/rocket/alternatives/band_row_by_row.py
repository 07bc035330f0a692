"""rocket/neighbours.py::choose_band: looks at one series after another, without scores."""

from collections.abc import Sequence

import numpy as np
from rocket.arrays import FloatArray, IntArray


def choose_band(
    series: FloatArray, labels: IntArray, classes: int, bands: Sequence[int]
) -> "Warping":
    wrong, contrasts = [], []
    for band in bands:
        table = dtw_distances(series, series, band)
        ratios, misses = [], 0
        for i, row in enumerate(table):
            others = np.delete(np.arange(len(row)), i)
            same = labels[others] == labels[i]
            own, other = row[others[same]].min(), row[others[~same]].min()
            misses += int(other < own)
            ratios.append((other - own) / (other + own))
        wrong.append(misses / len(table))
        contrasts.append(float(np.mean(ratios)))
    return Warping(bands[wrong.index(min(wrong))], np.array(wrong), np.array(contrasts))
