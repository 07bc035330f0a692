"""Which points are labelled."""

from __future__ import annotations

import numpy as np

from lgc.arrays import IntArray, Labelled


def choose_labelled(orders: IntArray, y: IntArray, count: int, sets: int) -> list[Labelled]:
    classes = int(y.max()) + 1
    chosen: list[Labelled] = []
    for order in orders:
        points = np.sort(order[:count])
        if len(np.unique(y[points])) < classes:
            continue
        Y = np.zeros((len(y), classes))
        Y[points, y[points]] = 1.0
        chosen.append(Labelled(points, Y))
        if len(chosen) == sets:
            return chosen
    raise ValueError(f"fewer than {sets} orders show every class in {count} points")
