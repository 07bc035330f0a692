"""offpolicy/evaluation.py::summarise: mean and variance of the errors in place of the values."""

from collections.abc import Sequence

import numpy as np
from offpolicy.estimators import Estimate


def summarise(estimates: Sequence[Estimate], truth: float) -> Summary:
    table = np.array([(e.value - truth, e.error, e.effective) for e in estimates])
    bias, stated, effective = table.sum(axis=0) / len(table)
    mean_square = np.vdot(table[:, 0], table[:, 0]) / len(table)
    sd = np.sqrt(((table[:, 0] - bias) ** 2).sum() / (len(table) - 1))
    sizes = np.sort(np.abs(table[:, 0]))
    place = 0.9 * (len(sizes) - 1)
    low = int(place)
    high = min(low + 1, len(sizes) - 1)
    tail = sizes[low] + (place - low) * (sizes[high] - sizes[low])
    values = (bias, sd, np.sqrt(mean_square), stated, tail, effective)
    return Summary(*(float(value) for value in values))
