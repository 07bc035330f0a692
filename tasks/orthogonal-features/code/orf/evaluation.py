"""How well a kernel is approximated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orf.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class KernelErrors:
    """Errors of an approximate kernel matrix."""

    mse: float
    frobenius: float
    spectral: float
    worst: float
    misalignment: float


def kernel_errors(exact: FloatArray, approximate: FloatArray) -> KernelErrors:
    """Compare an approximate kernel matrix with the exact one."""
    error = approximate - exact
    exact_norm = np.sqrt((exact**2).sum())
    approximate_norm = np.sqrt((approximate**2).sum())
    inner = (exact * approximate).sum()
    error_eigenvalues = np.linalg.eigvalsh(error)
    exact_eigenvalues = np.linalg.eigvalsh(exact)
    return KernelErrors(
        mse=float((error**2).mean()),
        frobenius=float(np.sqrt((error**2).sum()) / exact_norm),
        spectral=float(np.abs(error_eigenvalues).max() / np.abs(exact_eigenvalues).max()),
        worst=float(np.abs(error).max()),
        misalignment=float(1.0 - inner / (exact_norm * approximate_norm)),
    )


@dataclass(frozen=True)
class Moments:
    """Kernel estimates by distance, one entry per group of pairs."""

    distance: FloatArray
    bias: FloatArray
    variance: FloatArray
    error: FloatArray


def distance_groups(z: FloatArray, groups: int) -> list[IntArray]:
    """Numbers of the pairs in each group of similar distance, nearest pairs first."""
    return np.array_split(np.argsort(z, kind="stable"), groups)


def grouped_moments(
    estimates: FloatArray, exact: FloatArray, z: FloatArray, groups: int
) -> Moments:
    """Bias and variance over repetitions, by distance."""
    mean = estimates.mean(axis=0)
    bias = mean - exact
    variance = ((estimates - mean) ** 2).mean(axis=0)
    worst = np.abs(estimates - exact).max(axis=0)
    parts = distance_groups(z, groups)
    by_group = np.zeros((4, groups))
    for group, pairs in enumerate(parts):
        by_group[0, group] = z[pairs].mean()
        by_group[1, group] = bias[pairs].mean()
        by_group[2, group] = variance[pairs].mean()
        by_group[3, group] = worst[pairs].mean()
    return Moments(*by_group)
