"""How good a density is, and how much its samples look like the data."""

from __future__ import annotations

import numpy as np

from realnvp.arrays import FloatArray


def gaussian_baselines(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    dims = train.shape[1]
    mean = train.mean(axis=0)
    centred = train - mean
    covariance = centred.T @ centred / len(train)
    away = test - mean
    constant = dims * np.log(2.0 * np.pi)
    variances = np.diag(covariance)
    diagonal = (away**2 / variances).sum(axis=1) + np.log(variances).sum()
    factor = np.linalg.cholesky(covariance)
    white = np.linalg.solve(factor, away.T)
    full = (white**2).sum(axis=0) + 2.0 * np.log(np.diag(factor)).sum()
    return -0.5 * (constant + diagonal), -0.5 * (constant + full)


def energy_distance(samples: FloatArray, data: FloatArray) -> tuple[float, float]:
    both = np.concatenate([samples, data])
    squares = (both**2).sum(axis=1)
    products = both @ both.T
    gaps = squares[:, None] + squares[None, :] - 2.0 * products
    distances = np.sqrt(np.maximum(gaps, 0.0))
    np.fill_diagonal(distances, 0.0)
    n = len(samples)
    across = distances[:n, n:].mean()
    within_samples = distances[:n, :n].mean()
    within_data = distances[n:, n:].mean()
    energy = 2.0 * across - within_samples - within_data
    return float(energy / (2.0 * across)), float(within_samples / within_data)
