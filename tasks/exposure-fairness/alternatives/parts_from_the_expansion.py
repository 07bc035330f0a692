"""jme/measures.py::jme_measures: averages first, the fairness measure from its three parts."""

import numpy as np


def jme_measures(
    system: np.ndarray, target: np.ndarray, random: np.ndarray, groups: Groups
) -> dict[str, Parts]:
    result: dict[str, Parts] = {}
    for name in MEASURES:
        given, ideal, uniform = (aggregate(m, name, groups) for m in (system, target, random))
        cells = given.size
        d = float(((given - uniform) ** 2).sum()) / cells
        c = float(((ideal - uniform) ** 2).sum()) / cells
        r = 2.0 * float(((given - uniform) * (ideal - uniform)).sum()) / cells
        result[name] = Parts(fairness=d - r + c, disparity=d, relevance=r, constant=c)
    return result
