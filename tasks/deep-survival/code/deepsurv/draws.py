"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from deepsurv.arrays import FloatArray, IntArray, Params


def permutation(seed: int, size: int) -> IntArray:
    """A random order of the numbers below ``size``."""
    return np.random.RandomState([seed, 0]).permutation(size)


def covariates(seed: int, part: int, patients: int, features: int) -> FloatArray:
    """Independent covariates, uniform on [-1, 1)."""
    random = np.random.RandomState([seed, 1, part])
    return random.uniform(-1.0, 1.0, size=(patients, features))


def arms(seed: int, part: int, patients: int) -> IntArray:
    """A fair coin per patient: treatment 0 or 1."""
    return np.random.RandomState([seed, 2, part]).randint(0, 2, size=patients)


def fates(seed: int, part: int, patients: int) -> FloatArray:
    """Two uniform numbers in (0, 1) per patient: one for death, one for leaving the study."""
    return 1.0 - np.random.RandomState([seed, 3, part]).random_sample((patients, 2))


def initial_params(seed: int, sizes: Sequence[int]) -> Params:
    """Normal weights of variance 1 / inputs, and biases of 0, for every layer."""
    random = np.random.RandomState([seed, 4])
    return [
        (random.standard_normal((inputs, outputs)) / np.sqrt(inputs), np.zeros(outputs))
        for inputs, outputs in pairwise(sizes)
    ]
