"""offpolicy/policies.py::draw_log: action by action, and the other reward by comparison."""

import numpy as np
from offpolicy.arrays import FloatArray, IntArray, Log


def draw_log(
    table: FloatArray,
    propensities: FloatArray,
    rows: IntArray,
    uniforms: FloatArray,
    noise: float,
) -> Log:
    k = propensities.shape[1]
    below = np.zeros(len(table))
    starts = []
    for a in range(k):
        starts.append(below)
        below = below + propensities[:, a]
    actions = np.zeros(len(rows), dtype=np.int64)
    for a in range(1, k):
        actions = np.where(uniforms[:, 0] >= starts[a][rows], a, actions)
    rewards = np.array(table[rows, actions], dtype=float)
    if noise > 0.0:
        low, high = np.unique(table)
        other = np.where(rewards == low, high, low)
        rewards = np.where(uniforms[:, 1] < noise, other, rewards)
    return Log(rows, actions, rewards)
