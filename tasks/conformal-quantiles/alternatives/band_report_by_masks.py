"""cqr/evaluation.py::band_report: masks and sums instead of clipped distances."""

import numpy as np
from cqr.arrays import Band, FloatArray


def band_report(y: FloatArray, band: Band, alpha: float) -> BandReport:
    rows = len(y)
    low, high = y < band.lower, y > band.upper
    penalty = (band.lower - y)[low].sum() + (y - band.upper)[high].sum()
    length = float(np.mean(band.upper - band.lower))
    return BandReport(
        coverage=1.0 - float(low.sum() + high.sum()) / rows,
        miss_below=float(low.sum()) / rows,
        miss_above=float(high.sum()) / rows,
        length=length,
        interval_score=length + 2.0 * float(penalty) / (alpha * rows),
    )
