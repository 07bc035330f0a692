"""coreset/robust.py::integer_cover: fewest uncovered points, labelled points taken out first."""

import numpy as np
from coreset.arrays import FloatArray, IntArray
from scipy.optimize import Bounds, LinearConstraint, milp


def integer_cover(
    distances: FloatArray, labelled: IntArray, budget: int, radius: float, outliers: int
) -> IntArray | None:
    reaches = distances <= radius * (1 + 1e-9)
    rest = np.setdiff1d(np.arange(len(distances)), labelled)
    need = np.flatnonzero(~reaches[:, labelled].any(axis=1))
    if len(need) == 0:
        return rest[:budget]
    covers = np.hstack([reaches[np.ix_(need, rest)].astype(float), np.eye(len(need))])
    one = np.concatenate([np.ones(len(rest)), np.zeros(len(need))])
    answer = milp(
        1.0 - one,
        integrality=one,
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(covers, 1, np.inf), LinearConstraint(one, budget, budget)],
    )
    if answer.fun is None or answer.fun > outliers + 0.5:
        return None
    return rest[np.round(answer.x[: len(rest)]).astype(bool)]
