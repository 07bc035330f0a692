"""How good a band is on rows that were not used to make it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
class ConditionalReport:
    """Share of covered rows and mean length in each group; lowest coverage of any window."""

    coverage: FloatArray
    length: FloatArray
    worst: float


def band_report(y: FloatArray, band: Band, alpha: float) -> BandReport:
    shortfall = np.maximum(band.lower - y, 0.0)
    excess = np.maximum(y - band.upper, 0.0)
    score = band.length + (2.0 / alpha) * (shortfall + excess)
    return BandReport(
        coverage=float(((band.lower <= y) & (y <= band.upper)).mean()),
        miss_below=float((shortfall > 0).mean()),
        miss_above=float((excess > 0).mean()),
        length=float(band.length.mean()),
        interval_score=float(score.mean()),
    )


def conditional_report(
    y: FloatArray, band: Band, by: FloatArray, groups: int, share: float
) -> ConditionalReport:
    order = np.argsort(by, kind="stable")
    inside = ((band.lower <= y) & (y <= band.upper))[order]
    parts = np.array_split(np.arange(len(y)), groups)
    coverage = np.array([inside[part].mean() for part in parts])
    length = np.array([band.length[order[part]].mean() for part in parts])
    smallest = int(np.ceil(share * len(y)))
    hits = np.concatenate([[0], np.cumsum(inside)])
    worst = 1.0
    for start in range(len(y) - smallest + 1):
        stops = np.arange(start + smallest, len(y) + 1)
        worst = min(worst, float(((hits[stops] - hits[start]) / (stops - start)).min()))
    return ConditionalReport(coverage, length, worst)
