"""jme/optimise.py::loss_gradient: one pair of groups after another."""

import numpy as np
from jme.measures import Groups


def loss_gradient(
    gap: np.ndarray, alpha: float, scales: tuple[float, float], groups: Groups
) -> np.ndarray:
    result = gap * (2.0 * (1.0 - alpha) / scales[0] / gap.size)
    user_groups, item_groups = np.unique(groups.users), np.unique(groups.items)
    pairs = len(user_groups) * len(item_groups)
    for u in user_groups:
        for d in item_groups:
            cell = np.ix_(groups.users == u, groups.items == d)
            block = gap[cell]
            result[cell] += 2.0 * alpha / scales[1] / pairs * block.mean() / block.size
    return result
