"""Ridge regression on +1 and -1 targets, with its penalty chosen by leaving one out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rocket.arrays import FloatArray, IntArray, Linear

PENALTIES = np.logspace(-1.0, 5.0, 13)
SMALLEST_SCALE = 1e-8


@dataclass(frozen=True)
class RidgeFit:
    """The classifier, its penalty, and the leave-one-out error of every penalty tried.

    The classifier takes the features as they are, not standardised ones.
    """

    model: Linear
    penalty: float
    path: FloatArray


def targets(labels: IntArray, classes: int) -> FloatArray:
    """One column per class: 1 for its members, -1 for all others."""
    return np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)


def leave_one_out(features: FloatArray, wanted: FloatArray, penalties: FloatArray) -> FloatArray:
    rows = len(features)
    target = wanted - wanted.mean(axis=0)
    values, vectors = np.linalg.eigh(features @ features.T)
    rotated = vectors.T @ target
    errors = np.zeros(len(penalties))
    for index, penalty in enumerate(penalties):
        shrink = values / (values + penalty)
        residual = target - vectors @ (shrink[:, None] * rotated)
        leverage = (vectors**2) @ shrink + 1.0 / rows
        errors[index] = ((residual / (1.0 - leverage)[:, None]) ** 2).mean()
    return errors


def fit_ridge(features: FloatArray, wanted: FloatArray, penalties: FloatArray) -> RidgeFit:
    rows = len(features)
    shift, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale < SMALLEST_SCALE, np.inf, scale)
    standard = (features - shift) / scale
    path = leave_one_out(standard, wanted, penalties)
    penalty = float(penalties[np.argmin(path)])
    offset = wanted.mean(axis=0)
    gram = standard @ standard.T + penalty * np.eye(rows)
    dual = np.linalg.solve(gram, wanted - offset)
    weights = (standard.T @ dual) / scale[:, None]
    return RidgeFit(Linear(weights, offset - shift @ weights), penalty, path)
