"""jme/optimise.py::PolicyTrainer.gradient: a mask for every pair of groups."""

import numpy as np


def gradient(
    self, samples: list[np.ndarray], gap: np.ndarray, alpha: float, scales: tuple[float, float]
) -> np.ndarray:
    wanted = loss_gradient(gap, alpha, scales, self.groups)
    wanted = wanted[np.arange(len(wanted))[:, None], self.pool]
    parts = [score_gradient(p, wanted, self.config.gamma, self.config.tau) for p in samples]
    by_score = np.mean(parts, axis=0) / self.config.temperature
    items = self.groups.items[self.pool]
    result = np.empty((self.groups.users.max() + 1, self.groups.items.max() + 1))
    for u, d in np.ndindex(*result.shape):
        mine = self.groups.users == u
        result[u, d] = (by_score * (items == d))[mine].sum()
    return result
