"""The baselines: the nearest neighbour by Euclidean distance and by dynamic time warping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rocket.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Warping:
    """The chosen width of the band, the error of each width tried, and its mean contrast."""

    band: int
    errors: FloatArray
    contrasts: FloatArray


def neighbour_scores(distances: FloatArray, labels: IntArray, classes: int) -> FloatArray:
    """Minus the distance of every row to the nearest column of each class."""
    return np.stack([-distances[:, labels == k].min(axis=1) for k in range(classes)], axis=1)


def dtw_distances(left: FloatArray, right: FloatArray, band: int) -> FloatArray:
    points = left.shape[1]
    shape = (len(left), len(right))
    before = [np.full(shape, np.inf) for _ in range(points + 1)]
    before[0] = np.zeros(shape)
    for i in range(points):
        now = [np.full(shape, np.inf)] * (points + 1)
        low, high = max(0, i - band), min(points, i + band + 1)
        for j in range(low, high):
            cost = (left[:, i, None] - right[None, :, j]) ** 2
            cheapest = np.minimum(np.minimum(before[j], before[j + 1]), now[j])
            now[j + 1] = cost + cheapest
        before = now
    total: FloatArray = before[points]
    return np.sqrt(total)


def choose_band(
    series: FloatArray, labels: IntArray, classes: int, bands: Sequence[int]
) -> Warping:
    rows = np.arange(len(series))
    errors = np.zeros(len(bands))
    contrasts = np.zeros(len(bands))
    for index, band in enumerate(bands):
        distances = dtw_distances(series, series, band)
        distances[rows, rows] = np.inf
        scores = neighbour_scores(distances, labels, classes)
        errors[index] = (scores.argmax(axis=1) != labels).mean()
        own = -scores[rows, labels]
        scores[rows, labels] = -np.inf
        other = -scores.max(axis=1)
        contrasts[index] = ((other - own) / (other + own)).mean()
    return Warping(bands[int(np.argmin(errors))], errors, contrasts)
