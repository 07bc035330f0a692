"""Types shared by the modules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Noise:
    """Random numbers for kernels, one row per kernel: the only source of their randomness.

    The last column of ``normals`` is for the bias, the others are for the weights, as many as
    the longest kernel has. ``uniforms``, in [0, 1), has the columns LENGTH, BIAS, DILATION and
    PADDING of `rocket.kernels`.
    """

    normals: FloatArray
    uniforms: FloatArray


@dataclass(frozen=True)
class Kernel:
    """A dilated kernel: ``padding`` zeros are put on each side of a series."""

    weights: FloatArray
    bias: float
    dilation: int
    padding: int


@dataclass(frozen=True)
class Linear:
    """A linear map with one output per class: ``features @ weights + intercept``."""

    weights: FloatArray
    intercept: FloatArray

    def __call__(self, features: FloatArray) -> FloatArray:
        return features @ self.weights + self.intercept


@dataclass(frozen=True)
class Split:
    """Series, one per row, and the class of each, for training and for testing."""

    train: FloatArray
    train_labels: IntArray
    test: FloatArray
    test_labels: IntArray
    classes: int
