"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

import numpy as np

from offpolicy.arrays import FloatArray, IntArray


def row_order(seed: int, rows: int) -> IntArray:
    """A random order of the rows of a data set."""
    return np.random.RandomState([seed, 0]).permutation(rows)


def contexts(seed: int, replication: int, size: int, rows: int) -> IntArray:
    """Contexts of a log, drawn with replacement."""
    return np.random.RandomState([seed, 1, replication]).randint(0, rows, size=size)


def events(seed: int, stage: int, replication: int, size: int) -> FloatArray:
    """Two uniform numbers per event: one for the action, one for the noise of its reward."""
    return np.random.RandomState([seed, 2, stage, replication]).random_sample((size, 2))


def folds(seed: int, replication: int, size: int, count: int) -> IntArray:
    """The fold of every event, of sizes as equal as possible."""
    random = np.random.RandomState([seed, 3, replication])
    return random.permutation(np.arange(size) % count)
