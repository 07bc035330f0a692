"""How well labelled points stand for the whole pool: radii, losses, and the bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coreset.arrays import FloatArray, IntArray
from coreset.classifier import log_probabilities


@dataclass(frozen=True)
class Coverage:
    """Distances of the pool to the labelled points, and how evenly these share the pool."""

    radius: float
    robust_radius: float
    mean: float
    packing: float
    balance: float


@dataclass(frozen=True)
class CoreSetLoss:
    """Mean losses on the pool and on the labelled points, their gap, and the slope."""

    pool: float
    labelled: float
    gap: float
    slope: float


def coverage(distances: FloatArray, labelled: IntArray, outliers: int) -> Coverage:
    to_labelled = distances[:, labelled]
    nearest = to_labelled.min(axis=1)
    ordered = np.sort(nearest)
    between = distances[np.ix_(labelled, labelled)]
    others = ~np.eye(len(labelled), dtype=bool)
    sizes = np.bincount(to_labelled.argmin(axis=1), minlength=len(labelled))
    shares = sizes / len(distances)
    entropy = -(shares * np.log(np.where(shares > 0.0, shares, 1.0))).sum()
    return Coverage(
        radius=float(ordered[-1]),
        robust_radius=float(ordered[len(ordered) - 1 - outliers]),
        mean=float(nearest.mean()),
        packing=float(between[others].min()),
        balance=float(np.exp(entropy) / len(labelled)),
    )


def core_set_loss(
    weights: FloatArray, H: FloatArray, y: IntArray, distances: FloatArray, labelled: IntArray
) -> CoreSetLoss:
    errors = np.exp(log_probabilities(weights, H))
    errors[np.arange(len(y)), y] -= 1.0
    losses = np.sqrt((errors**2).sum(axis=1))
    pool, on_labelled = losses.mean(), losses[labelled].mean()
    to_labelled = distances[:, labelled]
    stand_ins = labelled[to_labelled.argmin(axis=1)]
    changes = np.abs(losses - losses[stand_ins])
    return CoreSetLoss(
        pool=float(pool),
        labelled=float(on_labelled),
        gap=float(abs(pool - on_labelled)),
        slope=float(changes.sum() / to_labelled.min(axis=1).sum()),
    )


def risk_bound(
    weights: FloatArray, regression: FloatArray, radius: float, rows: int, confidence: float
) -> tuple[float, float]:
    classes = weights.shape[1]
    factor = np.sqrt(classes - 1.0) / classes
    loss_slope = factor * np.linalg.norm(weights[:-1], ord=2)
    regression_slope = factor * np.linalg.norm(regression[:-1], ord=2)
    largest = np.sqrt(2.0)
    covering = radius * (loss_slope + regression_slope * largest * classes)
    sampling = largest * np.sqrt(np.log(1.0 / (1.0 - confidence)) / (2.0 * rows))
    return float(covering), float(sampling)
