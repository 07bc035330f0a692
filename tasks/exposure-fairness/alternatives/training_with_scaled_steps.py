"""jme/optimise.py::PolicyTrainer.train: the velocity in units of the learning rate."""

import numpy as np


def train(self, gumbel: np.ndarray, alpha: float) -> Training:
    config = self.config
    offsets = np.zeros((len(np.unique(self.groups.users)), len(np.unique(self.groups.items))))
    running = np.zeros(offsets.shape)
    first: tuple[float, float] | None = None
    losses: list[float] = []
    norms: list[float] = []
    while len(losses) < config.train_steps:
        samples, gap = self.forward(offsets, gumbel)
        ii = float((gap**2).mean())
        gg = float((aggregate(gap, "gg", self.groups) ** 2).mean())
        if first is None:
            first = (ii, gg)
        slope = self.gradient(samples, gap, alpha, first)
        losses.append(ii / first[0] + alpha * (gg / first[1] - ii / first[0]))
        norms.append(float(np.sqrt((slope**2).sum())))
        running = config.momentum * running + slope
        offsets = offsets - config.learning_rate * running
    return Training(offsets=offsets, losses=losses, norms=norms)
