"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

import numpy as np

from coreset.arrays import BoolArray, FloatArray, IntArray


def row_order(seed: int, size: int) -> IntArray:
    """A random order of the rows of the data set."""
    return np.random.RandomState([seed, 0]).permutation(size)


def directions(seed: int, features: int, units: int) -> FloatArray:
    """Standard normal weights of the random layer."""
    return np.random.RandomState([seed, 1]).standard_normal((features, units))


def offsets(seed: int, units: int) -> FloatArray:
    """Offsets of the units of the random layer, uniform on [-1, 1)."""
    return np.random.RandomState([seed, 2]).uniform(-1.0, 1.0, size=units)


def pool_order(seed: int, trial: int, size: int) -> IntArray:
    """A random order of the pool: its beginning is labelled first, the rest at random."""
    return np.random.RandomState([seed, 3, trial]).permutation(size)


def dropout_masks(seed: int, count: int, units: int, keep: float) -> BoolArray:
    """For each pass of dropout, True for the units that stay."""
    return np.random.RandomState([seed, 4]).random_sample((count, units)) < keep
