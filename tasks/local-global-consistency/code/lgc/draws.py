"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

import numpy as np

from lgc.arrays import FloatArray, IntArray


def row_order(seed: int, size: int) -> IntArray:
    """A random order of the rows of the data set."""
    return np.random.RandomState([seed, 0]).permutation(size)


def label_orders(seed: int, labels: int, tries: int, size: int) -> IntArray:
    """Random orders of the points, shape (tries, size), of which the first points are labelled."""
    random = np.random.RandomState([seed, 1, labels])
    return np.array([random.permutation(size) for _ in range(tries)])


def moon_normals(seed: int, size: int) -> FloatArray:
    """Standard normal numbers, shape (size, 2)."""
    return np.random.RandomState([seed, 2]).standard_normal((size, 2))
