"""lgc/propagation.py::iterate: one product per class, and the decisions kept along."""

import numpy as np
from lgc.arrays import FloatArray, Trace


def iterate(
    matrix: FloatArray,
    Y: FloatArray,
    alpha: float,
    tolerance: float,
    limit: int,
    clamped: bool = False,
) -> Trace:
    known = Y.sum(axis=1)[:, None] > 0.0
    constant = Y - alpha * Y
    spread = alpha * matrix
    F, decisions = Y, np.argmax(Y, axis=1)
    changes, switches = np.zeros(limit), np.zeros(limit, dtype=np.int64)
    for step in range(limit):
        old, before = F, decisions
        F = np.column_stack([spread @ column for column in old.T]) + constant
        if clamped:
            F = np.where(known, Y, F)
        decisions = np.argmax(F, axis=1)
        changes[step] = np.sqrt(((F - old) ** 2).sum())
        switches[step] = (decisions != before).sum()
        if changes[step] <= tolerance * np.sqrt((F**2).sum()):
            break
    return Trace(F, changes[: step + 1], switches[: step + 1])
