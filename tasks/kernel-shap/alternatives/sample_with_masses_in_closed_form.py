"""kshap/coalitions.py::sample_coalitions: masses without binomials, enumerates last."""

from itertools import combinations
from math import comb

import numpy as np
from kshap.arrays import CoalitionSample, FloatArray


def sample_coalitions(features: int, budget: int, uniforms: FloatArray) -> CoalitionSample:
    mass = {s: 1.0 / (s * (features - s)) for s in range(1, features)}
    total = sum(mass.values())
    mass = {s: m / total for s, m in mass.items()}
    open_sizes = set(mass)
    enumerated: list[int] = []
    left = budget
    for s in range(1, features // 2 + 1):
        pair = {s, features - s}
        count = sum(comb(features, size) for size in pair)
        expected = left * sum(mass[p] for p in pair) / sum(mass[p] for p in open_sizes)
        if expected < count * (1 - 1e-9):
            break
        enumerated += sorted(pair)
        open_sizes -= pair
        left -= count
    rows: list[list[bool]] = []
    weights: list[float] = []
    if open_sizes:
        pairs = left // 2
        sizes = sorted(open_sizes)
        rest = sum(mass[s] for s in sizes)
        for k in range(pairs):
            cumulative = 0.0
            for size in sizes:
                cumulative += mass[size] / rest
                if uniforms[k, 0] < cumulative:
                    break
            ranks = uniforms[k, 1:].argsort().argsort()
            rows.append([bool(r < size) for r in ranks])
            rows.append([bool(r >= size) for r in ranks])
            weights += [rest / (2 * pairs)] * 2
    for size in enumerated:
        for members in combinations(range(features), size):
            rows.append([j in members for j in range(features)])
            weights.append(mass[size] / comb(features, size))
    return CoalitionSample(np.array(rows), np.array(weights))
