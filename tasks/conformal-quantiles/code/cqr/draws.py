"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from cqr.arrays import FloatArray, IntArray


def permutation(seed: int, size: int) -> IntArray:
    """A random order of the numbers below ``size``."""
    return np.random.RandomState([seed, 0]).permutation(size)


def weight_normals(seed: int, net: int, sizes: Sequence[int]) -> list[FloatArray]:
    """Standard normal numbers, one array (inputs, outputs) per layer of network ``net``."""
    random = np.random.RandomState([seed, 1, net])
    return [random.standard_normal(shape) for shape in pairwise(sizes)]


def batches(seed: int, net: int, rows: int, epochs: int, batch_size: int) -> list[IntArray]:
    """Row numbers of every batch, epoch after epoch; an incomplete last batch is dropped."""
    random = np.random.RandomState([seed, 2, net])
    per_epoch = rows // batch_size
    orders = [random.permutation(rows)[: per_epoch * batch_size] for _ in range(epochs)]
    return [batch for order in orders for batch in order.reshape(per_epoch, batch_size)]
