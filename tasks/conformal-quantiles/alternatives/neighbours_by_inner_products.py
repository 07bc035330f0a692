"""cqr/neighbours.py::neighbour_quantiles: distances by inner products, nearest first."""

import numpy as np
from cqr.arrays import FloatArray


def neighbour_quantiles(
    X: FloatArray, y: FloatArray, at: FloatArray, neighbours: int, levels: FloatArray
) -> FloatArray:
    squares = (X * X).sum(axis=1)
    rows = []
    for start in range(0, len(at), 250):
        block = at[start : start + 250]
        distances = (block * block).sum(axis=1)[:, None] - 2.0 * block @ X.T + squares
        nearest = np.argpartition(distances, neighbours, axis=1)[:, :neighbours]
        for chosen, row in zip(nearest, distances, strict=True):
            near = row[chosen].clip(min=0.0)
            mass = 1.0 - near / near.max()
            by_response = np.lexsort((chosen, y[chosen]))
            mass = (mass / mass.sum())[by_response]
            before = np.concatenate([[0.0], np.cumsum(mass)[:-1]])
            kept = mass > 0
            places = (before + mass / 2)[kept]
            rows.append(np.interp(levels, places, y[chosen][by_response][kept]))
    return np.array(rows)
