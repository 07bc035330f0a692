"""What the analysis predicts for two rows at distance z, in bandwidths."""

from __future__ import annotations

import numpy as np

from orf.arrays import FloatArray


def predicted_variance(z: FloatArray, count: int, dims: int, orthogonal: bool) -> FloatArray:
    """Variance of the kernel estimate."""
    independent = (1.0 - np.exp(-(z**2))) ** 2
    if not orthogonal:
        return independent / (2.0 * count)
    gain = z**4 * np.exp(-(z**2)) / dims
    variance = np.zeros_like(z)
    remaining = count
    while remaining > 0:
        size = min(dims, remaining)
        of_block = (independent - (size - 1) * gain) / (2.0 * size)
        variance += (size / count) ** 2 * of_block
        remaining -= size
    return variance


def fixed_length_kernel(z: FloatArray, dims: int) -> FloatArray:
    """Expectation of the kernel estimate when all frequencies have the same length."""
    argument = dims * z**2 / 4.0
    term = np.ones_like(z)
    total = np.ones_like(z)
    order = 0
    while np.abs(term).max() > 1e-14:
        denominator = (order + 1) * (dims / 2.0 + order)
        term = -term * argument / denominator
        total += term
        order += 1
    return total
