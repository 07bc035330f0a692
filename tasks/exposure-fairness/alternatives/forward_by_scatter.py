"""jme/optimise.py::PolicyTrainer.forward: offsets spread to all items, exposure averaged last."""

import numpy as np


def forward(self, offsets: np.ndarray, gumbel: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    everywhere = offsets[np.ix_(self.groups.users, self.groups.items)]
    rows = np.arange(len(self.pool))[:, None]
    logits = (self.pool_scores + everywhere[rows, self.pool]) / self.config.temperature
    samples = [smooth_preferences(logits + noise, self.config.tau) for noise in gumbel]
    exposures = [np.power(self.config.gamma, above.sum(axis=-1)) for above in samples]
    gap = -self.target
    gap[rows, self.pool] += np.mean(exposures, axis=0)
    return samples, gap
