"""cqr/conformal.py::conformalize: the four scores one by one, crossed ends by a mask."""

import numpy as np
from cqr.arrays import Band, FloatArray


def conformalize(
    y: FloatArray, held_out: Band, raw: Band, alpha: float, score: Score = "same"
) -> Conformal:
    units = end_units(held_out, score)
    scores = np.stack([held_out.lower - y, y - held_out.upper]) / np.stack(units)
    if score == "sides":
        below, above = (conformal_quantile(side, 0.5 * alpha) for side in scores)
    else:
        below = conformal_quantile(scores.max(axis=0), alpha)
        above = below
    unit_below, unit_above = end_units(raw, score)
    ends = np.stack([raw.lower - below * unit_below, raw.upper + above * unit_above])
    for row in np.flatnonzero(ends[1] < ends[0]):
        ends[:, row] = ends[:, row].mean()
    return Conformal(band=Band(ends[0], ends[1]), below=below, above=above)
