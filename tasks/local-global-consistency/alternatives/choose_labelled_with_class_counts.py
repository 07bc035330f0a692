"""lgc/labels.py::choose_labelled: filters all orders first, and checks counts of classes."""

import numpy as np
from lgc.arrays import IntArray, Labelled


def choose_labelled(orders: IntArray, y: IntArray, count: int, sets: int) -> list[Labelled]:
    onehot = np.eye(int(y.max()) + 1)[y]
    counts = onehot[orders[:, :count]].sum(axis=1)
    good = orders[(counts > 0).all(axis=1), :count]
    if len(good) < sets:
        raise ValueError("too few orders")
    result = []
    for points in good[:sets]:
        mask = np.isin(np.arange(len(y)), points)
        result.append(Labelled(np.flatnonzero(mask), onehot * mask[:, None]))
    return result
