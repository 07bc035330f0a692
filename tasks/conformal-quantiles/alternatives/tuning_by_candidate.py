"""cqr/neighbours.py::tune_nominal: candidates outside, folds inside, with a mask per fold."""

import numpy as np
from cqr.arrays import Band, FloatArray


def tune_nominal(
    X: FloatArray,
    y: FloatArray,
    neighbours: int,
    grid: FloatArray,
    candidates: FloatArray,
    alpha: float,
    folds: int,
) -> tuple[float, FloatArray]:
    predictions = []
    for held in np.array_split(np.arange(len(y)), folds):
        rest = np.ones(len(y), dtype=bool)
        rest[held] = False
        predicted = neighbour_quantiles(X[rest], y[rest], X[held], neighbours, grid)
        predictions.append((y[held], predicted))
    lengths = []
    for candidate in candidates:
        per_fold = []
        for truth, predicted in predictions:
            cut = len(truth) // 2
            first = quantile_band(predicted[:cut], grid, candidate)
            second = quantile_band(predicted[cut:], grid, candidate)
            band: Band = conformalize(truth[:cut], first, second, alpha).band
            per_fold.append(np.mean(band.upper - band.lower))
        lengths.append(sum(per_fold) / folds)
    return float(candidates[lengths.index(min(lengths))]), np.array(lengths)
