"""How good a band is on rows that were not used to make it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cqr.arrays import Band, FloatArray


@dataclass(frozen=True)
class BandReport:
    """A band as a whole.

    ``coverage``, ``miss_below`` (response below the band) and ``miss_above`` are shares of
    rows; ``length`` and ``interval_score`` are means over rows, in units of the response.
    """

    coverage: float
    miss_below: float
    miss_above: float
    length: float
    interval_score: float


@dataclass(frozen=True)
class GroupReport:
    """Share of covered rows and mean length in each group."""

    coverage: FloatArray
    length: FloatArray


def covered(y: FloatArray, band: Band) -> NDArray[np.bool_]:
    return (band.lower <= y) & (y <= band.upper)


def band_report(y: FloatArray, band: Band, alpha: float) -> BandReport:
    shortfall = np.maximum(band.lower - y, 0.0)
    excess = np.maximum(y - band.upper, 0.0)
    score = band.length + (2.0 / alpha) * (shortfall + excess)
    return BandReport(
        coverage=float(covered(y, band).mean()),
        miss_below=float((shortfall > 0).mean()),
        miss_above=float((excess > 0).mean()),
        length=float(band.length.mean()),
        interval_score=float(score.mean()),
    )


def group_report(y: FloatArray, band: Band, by: FloatArray, groups: int) -> GroupReport:
    order = np.argsort(by, kind="stable")
    inside = covered(y, band)
    coverage = np.empty(groups)
    length = np.empty(groups)
    for group, rows in enumerate(np.array_split(order, groups)):
        coverage[group] = inside[rows].mean()
        length[group] = band.length[rows].mean()
    return GroupReport(coverage, length)
