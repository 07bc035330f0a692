"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

import numpy as np

from rocket.arrays import FloatArray, IntArray, Noise

LONGEST = 11


def permutation(seed: int, size: int) -> IntArray:
    """A random order of the numbers below ``size``."""
    return np.random.RandomState([seed, 0]).permutation(size)


def fractions(seed: int, size: int) -> FloatArray:
    """Uniform numbers in [0, 1), which say where windows begin."""
    return np.random.RandomState([seed, 1]).random_sample(size)


def kernel_noise(seed: int, kernels: int) -> Noise:
    """Normal and uniform numbers for ``kernels`` kernels."""
    random = np.random.RandomState([seed, 2])
    return Noise(random.standard_normal((kernels, LONGEST + 1)), random.random_sample((kernels, 4)))


def batches(seed: int, rows: int, size: int, epochs: int) -> list[list[IntArray]]:
    """For each epoch, all rows in random order, cut into batches of at most ``size``."""
    random = np.random.RandomState([seed, 3])
    orders = [random.permutation(rows) for _ in range(epochs)]
    return [[order[i : i + size] for i in range(0, rows, size)] for order in orders]
