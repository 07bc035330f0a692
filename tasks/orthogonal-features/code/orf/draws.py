"""Every random draw of the experiments.

RandomState is used because its streams are frozen: the same seed gives the same numbers in
every version of numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orf.arrays import FloatArray, IntArray


def permutation(seed: int, size: int) -> IntArray:
    """A random order of the numbers below ``size``."""
    return np.random.RandomState([seed, 0]).permutation(size)


@dataclass(frozen=True)
class Draws:
    """What one repetition of a random feature map is made from, a stream per purpose."""

    seed: int
    repeat: int

    def _stream(self, purpose: int) -> np.random.RandomState:
        return np.random.RandomState([self.seed, self.repeat, purpose])

    def frequencies(self, count: int, dims: int) -> FloatArray:
        """Independent standard normal frequencies, one per row."""
        return self._stream(1).standard_normal((count, dims))

    def phases(self, count: int) -> FloatArray:
        """Uniform on [0, 2 pi)."""
        return self._stream(2).uniform(0.0, 2.0 * np.pi, count)

    def square_normals(self, blocks: int, dims: int) -> FloatArray:
        """Standard normal numbers for the directions of each block."""
        return self._stream(3).standard_normal((blocks, dims, dims))

    def length_normals(self, blocks: int, dims: int) -> FloatArray:
        """Standard normal numbers for the lengths in each block."""
        return self._stream(4).standard_normal((blocks, dims, dims))

    def signs(self, blocks: int, dims: int) -> FloatArray:
        """Three diagonals of random signs per block, shape (blocks, 3, dims)."""
        return 2.0 * self._stream(5).randint(0, 2, (blocks, 3, dims)) - 1.0

    def shift(self, dims: int) -> FloatArray:
        """Uniform on [0, 1), one number per dimension."""
        return self._stream(6).random_sample(dims)
