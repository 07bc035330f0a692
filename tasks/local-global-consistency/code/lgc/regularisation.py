"""The cost that the consistency method minimises."""

from __future__ import annotations

import numpy as np

from lgc.arrays import Cost, FloatArray


def cost(W: FloatArray, F: FloatArray, Y: FloatArray, mu: float) -> Cost:
    roots = np.sqrt(W.sum(axis=1))[:, None]
    scaled = F / roots
    smoothness = 0.0
    for column in scaled.T:
        gaps = column[:, None] - column
        smoothness += 0.5 * float(np.sum(W * gaps**2))
    fitting = float(np.sum((F - Y) ** 2))
    spread = (W @ scaled) / roots
    gradient = F - spread + mu * (F - Y)
    return Cost(
        total=0.5 * (smoothness + mu * fitting),
        smoothness=smoothness,
        fitting=fitting,
        slope=float(np.linalg.norm(gradient)),
    )
