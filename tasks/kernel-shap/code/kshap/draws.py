"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from kshap.arrays import FloatArray, IntArray, Masks


def row_order(seed: int, size: int) -> IntArray:
    """A random order of the rows of the data set."""
    return np.random.RandomState([seed, 0]).permutation(size)


def weight_normals(seed: int, sizes: Sequence[int]) -> list[FloatArray]:
    """Standard normal numbers, one array (inputs, outputs) per layer."""
    random = np.random.RandomState([seed, 1])
    return [random.standard_normal(shape) for shape in pairwise(sizes)]


def coalition_uniforms(seed: int, budget: int, features: int) -> FloatArray:
    """Numbers in [0, 1), shape (budget, 1 + features)."""
    return np.random.RandomState([seed, 2, budget]).random_sample((budget, 1 + features))


def feature_orders(seed: int, row: int, count: int, features: int) -> IntArray:
    """Random orders of the features for one explained row, shape (count, features)."""
    random = np.random.RandomState([seed, 3, row])
    return np.array([random.permutation(features) for _ in range(count)])


def background_picks(seed: int, row: int, count: int, size: int) -> IntArray:
    """Row numbers of a background set of ``size`` rows, drawn with replacement."""
    return np.random.RandomState([seed, 4, row]).randint(size, size=count)


def lime_coalitions(seed: int, count: int, features: int) -> Masks:
    """The full coalition, then random ones: a uniform size from 1 on, then a uniform subset."""
    random = np.random.RandomState([seed, 5, count])
    masks = np.ones((count, features), dtype=bool)
    for mask in masks[1:]:
        absent = random.randint(1, features)
        mask[random.permutation(features)[:absent]] = False
    return masks


def kept_features(seed: int, candidates: IntArray, count: int) -> IntArray:
    """The features that a sparse model may use, in increasing order."""
    return np.sort(np.random.RandomState([seed, 6]).permutation(candidates)[:count])
