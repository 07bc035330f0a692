"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy, and on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from distill.arrays import BoolArray, FloatArray, IntArray


def row_order(seed: int, size: int) -> IntArray:
    """A random order of the rows of the data set."""
    return np.random.RandomState([seed, 0]).permutation(size)


def weight_normals(seed: int, model: int, sizes: Sequence[int]) -> list[FloatArray]:
    """Standard normal numbers, one array (inputs, outputs) per layer."""
    random = np.random.RandomState([seed, 1, model])
    return [random.standard_normal(shape) for shape in pairwise(sizes)]


def batches(seed: int, stage: int, rows: int, steps: int, size: int) -> IntArray:
    """Row numbers of every batch, shape (steps, size), drawn with replacement."""
    return np.random.RandomState([seed, 2, stage]).randint(0, rows, size=(steps, size))


def kept_units(
    seed: int, stage: int, layer: int, shape: tuple[int, ...], share: float
) -> BoolArray:
    """True with the probability ``share``, independently."""
    return np.random.RandomState([seed, 3, stage, layer]).random_sample(shape) < share


def shifts(seed: int, stage: int, shape: tuple[int, ...], share: float) -> IntArray:
    """Moves by -1, 0 or 1 pixel along both axes, shape (*shape, 2); ``share`` are moved."""
    random = np.random.RandomState([seed, 4, stage])
    moves = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
    which = random.randint(0, len(moves), size=shape)
    return moves[which] * (random.random_sample(shape) < share)[..., None]


def outsiders(seed: int, specialist: int, size: int) -> IntArray:
    """A random order of the training rows that a specialist draws its other classes from."""
    return np.random.RandomState([seed, 5, specialist]).permutation(size)
