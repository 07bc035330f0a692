"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

import numpy as np

from realnvp.arrays import FloatArray, IntArray

LAST_GAIN = 0.1


def permutation(seed: int, size: int) -> IntArray:
    """A random order of the numbers below ``size``."""
    return np.random.RandomState([seed, 0]).permutation(size)


def noise(seed: int, shape: tuple[int, ...]) -> FloatArray:
    """Uniform numbers in [0, 1), for dequantisation."""
    return np.random.RandomState([seed, 1]).random_sample(shape)


def batches(seed: int, rows: int, size: int, steps: int) -> IntArray:
    """Row numbers of one batch per step, shape (steps, size): each epoch in a new order."""
    random = np.random.RandomState([seed, 2])
    epochs = -(-steps // (rows // size))
    full = [random.permutation(rows)[: rows // size * size] for _ in range(epochs)]
    return np.concatenate(full).reshape(-1, size)[:steps]


def latents(seed: int, rows: int, dims: int) -> FloatArray:
    """Standard normal numbers, to be turned into samples."""
    return np.random.RandomState([seed, 3]).standard_normal((rows, dims))


def network_layers(
    seed: int, number: int, dims: int, hidden: int
) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Initial directions, gains and biases of the three layers of network ``number``."""
    random = np.random.RandomState([seed, 4, number])
    sizes = ((dims, hidden, 1.0), (hidden, hidden, 1.0), (hidden, 2 * dims, LAST_GAIN))
    return [
        (random.standard_normal((outputs, inputs)), np.full(outputs, gain), np.zeros(outputs))
        for inputs, outputs, gain in sizes
    ]
