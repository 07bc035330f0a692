"""Frequencies of the random features: matrices with one frequency per row, for bandwidth 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from orf.arrays import FloatArray

LEAP = 409
"""Every LEAP-th point of the Halton sequence is used."""


def first_primes(count: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes


def halton_frequencies(count: int, bases: Sequence[int], shift: FloatArray) -> FloatArray:
    """Quasi-Monte Carlo frequencies from a shifted Halton sequence."""
    points = np.zeros((count, len(bases)))
    for column, base in enumerate(bases):
        index = LEAP * np.arange(1, count + 1)
        weight = 1.0 / base
        while index.any():
            digit = index % base
            points[:, column] += weight * digit
            index //= base
            weight /= base
    shifted = (points + shift) % 1.0
    return ndtri(shifted)


def orthogonal_frequencies(
    normals: FloatArray, length_normals: FloatArray | None, count: int
) -> FloatArray:
    """Frequencies that are orthogonal within each block."""
    dims = normals.shape[2]
    blocks = []
    for index, gaussian in enumerate(normals):
        basis, _ = np.linalg.qr(gaussian.T)
        directions = basis.T
        if length_normals is None:
            lengths = np.full(dims, np.sqrt(dims))
        else:
            lengths = np.sqrt((length_normals[index] ** 2).sum(axis=1))
        blocks.append(lengths[:, None] * directions)
    frequencies = np.concatenate(blocks)
    return frequencies[:count]
