"""Structured orthogonal frequencies, which are never stored as a matrix."""

from __future__ import annotations

import numpy as np

from orf.arrays import FloatArray


def next_power_of_two(dims: int) -> int:
    return 1 << (dims - 1).bit_length()


def hadamard_transform(X: FloatArray) -> FloatArray:
    """Fast Walsh-Hadamard transform of every row."""
    rows, dims = X.shape
    result = np.array(X, dtype=np.float64)
    half = 1
    while half < dims:
        pairs = result.reshape(rows, dims // (2 * half), 2, half)
        first = pairs[:, :, 0, :]
        second = pairs[:, :, 1, :]
        mixed = np.stack([first + second, first - second], axis=2)
        result = mixed.reshape(rows, dims)
        half *= 2
    return result / np.sqrt(dims)


def structured_projections(X: FloatArray, signs: FloatArray, count: int) -> FloatArray:
    """Projections of every row on structured orthogonal frequencies."""
    rows, dims = X.shape
    padded_dims = signs.shape[-1]
    padded = np.zeros((rows, padded_dims))
    padded[:, :dims] = X
    blocks = []
    for diagonals in signs:
        block = padded
        for diagonal in diagonals[::-1]:
            block = hadamard_transform(block * diagonal)
        blocks.append(np.sqrt(padded_dims) * block)
    projections = np.concatenate(blocks, axis=1)
    return projections[:, :count]
