"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy, and on every device.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alibi.arrays import FloatArray, IntArray


def blocks(seed: int, count: int) -> IntArray:
    """A random order of the blocks of a catalogue."""
    return np.random.RandomState([seed, 0]).permutation(count)


def window_starts(seed: int, steps: int, windows: int, positions: int) -> IntArray:
    """Where the training windows of every step start: below ``positions``."""
    return np.random.RandomState([seed, 1]).randint(0, positions, size=(steps, windows))


def initial_weights(seed: int, shapes: Mapping[str, tuple[int, int]]) -> dict[str, FloatArray]:
    """Normal weights of variance 1 / inputs for every matrix of the given shape."""
    random = np.random.RandomState([seed, 2])
    return {
        name: random.standard_normal(shape) / np.sqrt(shape[0]) for name, shape in shapes.items()
    }
